/**
 * Runs the tutorial on real processes: `deno task demo [executable]`, with `gxensemble` from its
 * sources or an executable.
 *
 * Types every command of docs/tutorial.md into a shell, in a temporary directory and with free
 * ports, prints what the commands print, and compares that with the page. It stops at the first
 * difference with exit code 1, and leaves nothing behind either way.
 *
 * @module
 */
import { runPage } from "./pages/run_page.ts";

const [executable] = Deno.args;
const interruption = new AbortController();
let code = 0;
for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.addSignalListener(signal, () => {
    code = exitCode;
    interruption.abort();
  });
}
try {
  await runPage("docs/tutorial.md", {
    ...executable && { gxensemble: [Deno.realPathSync(executable)] },
    print: (line) => console.log(line),
    signal: interruption.signal,
  });
  console.log(
    "\nThe tutorial ran from the first step to the last, and every output was as expected.",
  );
} catch (error) {
  if (code === 0) {
    code = 1;
    console.error(`\n${(error as Error).message}`);
  }
}
Deno.exit(code);
