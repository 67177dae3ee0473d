package main

import (
	"pulumi-linq/sdk/go/linq"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		supportLine, err := linq.NewPhoneNumberForwarding(ctx, "supportLine", &linq.PhoneNumberForwardingArgs{
			PhoneNumber:      pulumi.String("+12025550100"),
			ForwardingNumber: pulumi.String("+12025559999"),
		})
		if err != nil {
			return err
		}
		_, err = linq.NewPhoneNumberForwardings(ctx, "branches", &linq.PhoneNumberForwardingsArgs{
			Forwardings: pulumi.StringMap{"+12025550101": pulumi.String("+12025559999")},
		})
		if err != nil {
			return err
		}
		ctx.Export("forwardsTo", supportLine.ForwardingNumber)
		return nil
	})
}
