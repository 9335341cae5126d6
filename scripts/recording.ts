/**
 * Makes `docs/recording.svg`, a recording of a terminal: runs the transcripts of README.md for
 * real, and draws their output. Times, directories and the host get the names that the pages use,
 * so that every run draws the same.
 *
 * usage: `deno run -A scripts/recording.ts`
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { runPage } from "./pages/run_page.ts";

/** Parts to leave out: they are in the README, and too long for a picture. */
const LAST = "$ gxensemble shutdown counter1";

const COLUMNS = 78;
const CHARACTER = 7.83;
const LINE = 19;
const MARGIN = 16;

/** How long a command and a line of output take in the picture, in s. */
const COMMAND_TIME = 0.9;
const OUTPUT_TIME = 0.15;

const lines: string[] = [];
let isOver = false;

await runPage("README.md", {
  print(line) {
    if (isOver || line === "" || line.startsWith("# ") || line.startsWith("\n#")) return;
    if (line.startsWith("$ echo") || line.startsWith("(changed")) return;
    if (/ (?:DEBUG|INFO registry:) | listens at /.test(line)) return;
    lines.push(replaced(line));
    if (line === LAST) isOver = true;
  },
});
await Deno.writeTextFile(
  fileURLToPath(new URL("../docs/recording.svg", import.meta.url)),
  draw(lines),
);

/** Replaces text that differs from run to run by the names of the pages. */
function replaced(line: string): string {
  return line.replaceAll(/\/tmp\/gx[^/"]*\/home/g, "/home/me")
    .replaceAll(/\/tmp\/gx[^/"]*\/s\b/g, "/tmp/ensemble")
    .replaceAll(Deno.hostname(), "myhost")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "2026-01-02T03:04:05.678Z");
}

function draw(shown: readonly string[]): string {
  const width = Math.ceil(COLUMNS * CHARACTER + 2 * MARGIN);
  const height = shown.length * LINE + 2 * MARGIN;
  let time = 0;
  const texts = shown.map((line, index) => {
    const isCommand = line.startsWith("$ ");
    time += isCommand ? COMMAND_TIME : OUTPUT_TIME;
    const cut = line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line;
    const y = MARGIN + index * LINE + 14;
    return `<text x="${MARGIN}" y="${y}" class="${isCommand ? "c" : "o"}" ` +
      `style="animation-delay:${time.toFixed(2)}s">${escaped(cut)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A recording of a terminal">
<style>
text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; opacity: 0; animation: show 0.01s forwards }
.c { fill: #f0f6fc } .o { fill: #9fb3c8 }
@keyframes show { to { opacity: 1 } }
@media (prefers-reduced-motion: reduce) { text { animation-duration: 0s; animation-delay: 0s !important } }
</style>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
${texts.join("\n")}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
