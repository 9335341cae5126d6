import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = `
  import { ownCommand } from ${
  JSON.stringify(new URL("../../../cli/kit/own_command.ts", import.meta.url))
};
  console.log(Deno.args.length === 0 ? "again" : JSON.stringify(await ownCommand()));
`;

Deno.test("ownCommand names the program for any directory when it was named relative to one", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/elsewhere`);
    await Deno.writeTextFile(`${directory}/program.ts`, PROGRAM);
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url));
    const first = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, "program.ts", "an argument", ""],
      cwd: directory,
    }).output();
    const { program, args, env } = JSON.parse(new TextDecoder().decode(first.stdout));
    const again = await new Deno.Command(program, { args, env, cwd: `${directory}/elsewhere` })
      .output();
    assert.equal(new TextDecoder().decode(again.stdout), "again\n");
    assert.equal(dirname(args.at(-1)), await Deno.realPath(directory));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
