import assert from "node:assert/strict";

const PATHS = JSON.stringify(new URL("../../../runtime/home/paths.ts", import.meta.url).href);

/**
 * Evaluates an expression with the functions of paths.ts, in a process with only this environment.
 */
async function evaluate(expression: string, environment: Record<string, string>): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-config",
      `import * as paths from ${PATHS};
       try { console.log(${expression}); } catch (error) { console.log(error.message); }`,
    ],
    clearEnv: true,
    env: environment,
  }).output();
  return new TextDecoder().decode(stdout).trimEnd();
}

Deno.test("ensemble state is below GERBIL_PATH, by default below the home directory", async () => {
  assert.equal(
    await evaluate("paths.findPlaces().cookie", { GERBIL_PATH: "/g" }),
    "/g/ensemble/cookie",
  );
  assert.equal(
    await evaluate("paths.findPlaces().server('httpd1')", { HOME: "/home/me", GERBIL_PATH: "" }),
    "/home/me/.gerbil/ensemble/server/httpd1",
  );
  assert.equal(
    await evaluate("paths.findPlaces().directory", {}),
    "no place for the ensemble's files: neither GERBIL_PATH nor HOME is set",
  );
});

Deno.test("sockets are in ENSEMBLE_SOCKET_DIR, by default in /tmp/ensemble", async () => {
  assert.equal(
    await evaluate("paths.findPlaces({ directory: '/d' }).socket('httpd1')", {}),
    "/tmp/ensemble/httpd1",
  );
  const socketPath = (directory: string) =>
    evaluate("paths.findPlaces({ directory: '/d' }).socket('a')", {
      ENSEMBLE_SOCKET_DIR: directory,
    });
  assert.equal(await socketPath("/run/e"), "/run/e/a");
  assert.equal(await socketPath("/run/e//"), "/run/e/a");
  assert.equal(await socketPath("run"), "ENSEMBLE_SOCKET_DIR is not an absolute path: run");
});

Deno.test("Places takes absolute directories instead of the environment", async () => {
  const given = "paths.findPlaces({ directory: '/d/', socketDirectory: '/s' })";
  assert.equal(await evaluate(`${given}.cookie`, {}), "/d/cookie");
  assert.equal(await evaluate(`${given}.socket('a')`, { ENSEMBLE_SOCKET_DIR: "x" }), "/s/a");
  assert.equal(
    await evaluate("paths.findPlaces({ directory: 'd' })", {}),
    "the directory of the ensemble is not an absolute path: d",
  );
});
