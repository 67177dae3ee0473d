// The copy button of a console block: the commands, without `$ `, the comments after them, and the output.
document.addEventListener("click", (event) => {
  const button = event.target.closest(".language-console [data-clipboard-target]");
  if (!button) return;
  const lines = document.querySelector(button.dataset.clipboardTarget).textContent.split("\n");
  const commands = lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2).replace(/\s+# .*/, ""));
  button.dataset.clipboardText = commands.join("\n");
}, true);

// A browser starts no worker of a page that was opened from disk. This one runs the script of the search in a frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(script) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.scope = frame.contentWindow;
      this.scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const element = this.scope.document.createElement("script");
      this.ready = new Promise((resolve) => element.addEventListener("load", resolve));
      element.src = script;
      this.scope.document.head.append(element);
    }

    postMessage(data) {
      this.ready.then(() => this.scope.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
