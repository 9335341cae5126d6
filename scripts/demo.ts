/**
 * The tutorial, on real processes: `deno task demo [executable]`, with `gxensemble` from its sources or an
 * executable.
 *
 * Runs every step of docs/tutorial.md in a temporary directory and on free ports, prints each command with
 * what it really printed, and compares that with what it should be. It stops at the first difference with
 * exit code 1, and leaves nothing behind either way.
 *
 * @module
 */
import { Stage } from "./demo/stage.ts";

const HASH = /^[0-9a-f]{64}$/;

async function tutorial(stage: Stage): Promise<void> {
  const { sockets, host, root } = stage;
  const [port1, port2, port3] = [stage.freePort(), stage.freePort(), stage.freePort()];
  const address = (id: string) => `(unix: "${host}" "${sockets}/${id}")`;
  const handler = "examples/httpd/handler.ts";

  stage.chapter("A cookie, the registry, and two servers");
  await stage.run(["cookie"], []);
  await stage.start(["registry"], "registry listens at");
  for (const [id, port] of [["httpd1", port1], ["httpd2", port2]] as const) {
    const command = ["run", "--roles", "(httpd)", id, "examples/httpd/httpd_svc.ts", `${port}`];
    await stage.start(command, `${id} is in the registry`);
  }

  stage.chapter("Finding them");
  await stage.run(["lookup", "--role", "httpd"], [
    `(httpd1 ${address("httpd1")})`,
    `(httpd2 ${address("httpd2")})`,
  ]);
  await stage.run(["list-servers"], [
    `(httpd1 (httpd) ${address("httpd1")})`,
    `(httpd2 (httpd) ${address("httpd2")})`,
    `(registry () ${address("registry")})`,
  ]);
  await stage.run(["ping", "httpd1"], ["OK"]);
  await stage.run(["ping", "httpd2"], ["OK"]);
  await stage.run(["ping", "httpd1", "loader"], ["OK"]);
  await stage.run(["list-actors", "httpd1"], ["loader", "registration", "server"]);
  await stage.run(["list-connections", "httpd1"], [`(registry ${address("registry")})`]);

  stage.chapter("They have no handlers yet");
  await stage.get(port1, "/", 404, "");
  await stage.get(port2, "/", 404, "");

  stage.chapter("Loading handlers into the running servers");
  const loading = [`... loading code object file ${root}/${handler}`, HASH];
  const [, hash] = await stage.run(["load", "-f", "httpd1", handler], loading);
  await stage.run(["load", "-f", "httpd2", handler], [loading[0]!, hash!]);
  await stage.get(port1, "/", 200, "the world is not flat but round!\n");
  await stage.get(port2, "/", 200, "the world is not flat but round!\n");
  await stage.run(["load", "httpd1", handler], [
    `... already loaded ${root}/examples/httpd/httpd.ts`,
    HASH,
    `... already loaded ${root}/${handler}`,
    hash!,
  ]);

  stage.chapter("Changing a handler, and going back");
  const changed = await stage.change(handler, "not flat but round", "a disc");
  await stage.run(["load", "-f", "httpd1", changed], [
    `... loading code object file ${changed}`,
    HASH,
  ]);
  await stage.get(port1, "/", 200, "the world is a disc!\n");
  await stage.run(["load", "-f", "httpd1", handler], [
    `... made current again ${root}/${handler}`,
    hash!,
  ]);
  await stage.get(port1, "/", 200, "the world is not flat but round!\n");
  await stage.run(["load", "-f", "--rerun", "httpd1", handler], [
    `... running anew ${root}/${handler}`,
    hash!,
  ]);

  stage.chapter("Evaluating in a running server");
  await stage.run(["eval", "httpd1", "1+2"], ["3"]);
  const module = `ensemble.module("${handler}")`;
  await stage.run(["eval", "httpd1", `${module}.greeting`], ['"hello there!\\n"']);

  stage.chapter("Another handler, from the REPL");
  await stage.run(["repl", "httpd1"], [], [
    `,(import ${handler})`,
    ",(import examples/httpd/httpd.ts)",
    'setGreeting("hello, i am httpd1\\n")',
    'registerHandler(currentHttpServer(), "/greeting", writeSimpleHandler)',
    ",q",
  ]);
  await stage.get(port1, "/greeting", 200, "hello, i am httpd1\n");

  stage.chapter("A binary executable joins");
  const program = `${stage.directory}/httpd-exe`;
  await stage.run(["compile", "-o", program, "examples/httpd/httpd_exe.ts"], [
    /^\.\.\. compiled .*\/httpd-exe \((compiled|portable), \d+ bytes\)$/,
    HASH,
  ]);
  await stage.startProgram([program, "httpd3", `${port3}`], () => stage.isRegistered("httpd3"));
  await stage.run(["lookup", "--role", "httpd"], [
    `(httpd1 ${address("httpd1")})`,
    `(httpd2 ${address("httpd2")})`,
    `(httpd3 ${address("httpd3")})`,
  ]);
  await stage.run(["repl", "httpd3"], [
    "... loading library module examples/httpd/httpd.ts",
    `... loading code object file ${root}/${handler}`,
    HASH,
  ], [
    `,(load ${handler}) ; load the code in the remote server`,
    `,(import ${handler}) ; import for local expansion`,
    'setGreeting("hello, i am httpd3 and i am a binary executable\\n")',
    ",(import examples/httpd/httpd.ts) ; import for local expansion",
    'registerHandler(currentHttpServer(), "/greeting", writeSimpleHandler)',
    ",q",
  ]);
  await stage.get(port3, "/", 200, "the world is not flat but round!\n");
  await stage.get(
    port3,
    "/greeting",
    200,
    "hello, i am httpd3 and i am a binary executable\n",
  );

  stage.chapter("Shutting down");
  await stage.run(["shutdown", "-f"], [
    "... shutting down httpd1",
    "... shutting down httpd2",
    "... shutting down httpd3",
    "... shutting down registry",
  ]);
  await stage.allEnded();
}

const stage = await Stage.open(Deno.args[0]);
const interrupted = new Promise<number>((resolve) => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => resolve(code));
  }
});
const finished = tutorial(stage).then(() => {
  console.log(
    "\nThe tutorial ran from the first step to the last, and every output was as expected.",
  );
  return 0;
}, async (error) => {
  // Ctrl-C reaches the commands as well: that they fail then is no difference.
  const late = new Promise<number>((resolve) => setTimeout(() => resolve(1), 100));
  const code = await Promise.race([interrupted, late]);
  if (code === 1) {
    stage.printLogs();
    console.error(`\n${(error as Error).message}`);
  }
  return code;
});
const code = await Promise.race([finished, interrupted]);
await stage[Symbol.asyncDispose]();
Deno.exit(code);
