import assert from "node:assert/strict";
import { commandTree } from "../../cli/command_tree.ts";
import { allCommands } from "../../cli/kit/command_line.ts";
import { parseConfiguration } from "../../supervisor/configuration/configuration_reading.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));

Deno.test("the configurations in the pages about deployment are valid", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const module = `${directory}/httpd_svc.ts`;
    Deno.writeTextFileSync(module, "export const main = () => {};\n");
    let count = 0;
    for (const page of ["docs/deploy.md", "docs/health.md"]) {
      for (const [, text] of read(page).matchAll(/^```jsonc\n(.*?)^```/gms)) {
        const { problems } = await parseConfiguration(
          text!.replaceAll(/"[^"]*httpd_svc\.ts"/g, JSON.stringify(module)),
          { path: `${directory}/ensemble.jsonc`, host: "host1", directory },
        );
        assert.deepEqual(problems, [], page);
        count++;
      }
    }
    assert.equal(count, 3);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

/** The instructions of the recipe: `["USER", "gxensemble"]`. */
const instructions = read("deploy/Containerfile").replaceAll(/^#.*\n/gm, "")
  .replaceAll("\\\n", "").split("\n").filter((line) => line !== "")
  .map((line) => /^(\w+) (.*)$/.exec(line)!.slice(1) as [string, string]);

function instruction(name: string): string {
  const found = instructions.filter(([word]) => word === name);
  assert.equal(found.length, 1, name);
  return found[0]![1];
}

Deno.test("the container starts the supervisor under an init, and not as root", () => {
  assert.equal(instruction("USER"), "gxensemble");
  const [init, separator, program] = JSON.parse(instruction("ENTRYPOINT")) as string[];
  assert.deepEqual([init, separator, program], ["/usr/bin/tini", "--", "gxensemble"]);
  const tree = commandTree();
  let parsed: unknown;
  for (const command of allCommands(tree)) {
    command.action(() => {
      parsed = [command.name(), command.opts().config];
    });
  }
  tree.parse(JSON.parse(instruction("CMD")), { from: "user" });
  const [configuration] = instructions
    .filter(([word, rest]) => word === "COPY" && rest.startsWith("ensemble.jsonc "))
    .map(([, rest]) => rest.split(" ")[1]);
  assert.deepEqual(parsed, ["supervisor", configuration]);
  assert.match(instruction("HEALTHCHECK"), / CMD .*gxensemble ping "supervisor-/);
});
