# One terraform_data a line, with curl for create and destroy. A change replaces: destroy clears the line, create sets
# it. There is no read: a refresh asks nobody.

locals {
  ids   = jsondecode(file("${path.module}/ids.json"))
  lines = jsondecode(file("${path.module}/lines.json"))
}

resource "terraform_data" "line" {
  for_each         = local.lines
  input            = local.ids[each.key]
  triggers_replace = each.value

  provisioner "local-exec" {
    command = "exec curl -sSf -o /dev/null -X PUT -H \"Authorization: Bearer $LINQ_API_V3_API_KEY\" -H 'Content-Type: application/json' -d '{\"forwarding_number\": \"${self.triggers_replace}\"}' \"$LINQ_API_V3_BASE_URL/v3/phone_numbers/${self.output}\""
  }

  provisioner "local-exec" {
    when    = destroy
    command = "exec curl -sSf -o /dev/null -X PUT -H \"Authorization: Bearer $LINQ_API_V3_API_KEY\" -H 'Content-Type: application/json' -d '{\"forwarding_number\": \"\"}' \"$LINQ_API_V3_BASE_URL/v3/phone_numbers/${self.output}\""
  }
}
