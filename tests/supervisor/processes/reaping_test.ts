import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LINUX, testWith } from "../../requirements.ts";

const MODULE = fileURLToPath(import.meta.resolve("../../../supervisor/processes/reaping.ts"));

/** A program that inherits a child, and prints how it has ended. */
const PROGRAM = `
  import { reapChild } from ${JSON.stringify(MODULE)};
  const pid = Number(Deno.args[0]);
  console.log(reapChild(Deno.pid) === undefined);
  let end;
  while (!(end = reapChild(pid))) await new Promise((resolve) => setTimeout(resolve, 10));
  console.log(JSON.stringify(end), reapChild(pid) === undefined);
  try {
    Deno.statSync("/proc/" + pid);
  } catch {
    console.log("no zombie");
  }
`;

for (const [child, end] of [["exit 7", { code: 7 }], ["kill -9 $$", { signal: "SIGKILL" }]]) {
  testWith([LINUX], {
    name: `reapChild takes the end of a child of an earlier program: ${child}`,
    async fn() {
      const directory = await Deno.makeTempDir({ prefix: "gx" });
      try {
        await Deno.writeTextFile(`${directory}/program.ts`, PROGRAM);
        const { stdout, stderr } = await new Deno.Command("sh", {
          args: [
            ...["-c", 'sh -c "sleep 0.3; $1" & shift; exec "$@" $!', "sh", child as string],
            ...[Deno.execPath(), "run", "-A", "--no-check", `${directory}/program.ts`],
          ],
          env: { NO_COLOR: "1" },
        }).output();
        const text = new TextDecoder().decode(stdout);
        assert.equal(
          text,
          `true\n${JSON.stringify(end)} true\nno zombie\n`,
          new TextDecoder().decode(stderr),
        );
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}
