import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const RUNTIME = JSON.stringify(new URL("../../../mod.ts", import.meta.url).href);

/** The names of the sockets in the ensemble's directory. */
function sockets({ socketDirectory }: TemporaryEnsemble): string[] {
  const names = Array.from(Deno.readDirSync(socketDirectory), ({ name }) => name);
  return names.filter((name) => !name.startsWith("."));
}

/** Where a start waits for something that never comes, as code that says so with `reached()`. */
const STAGES: Record<string, string> = {
  "while it prepares": `prepare: () => { reached(); return new Promise(() => {}); }`,
  "while it waits for the registry": `prepare: () => void reached()`,
};

for (const [stage, options] of Object.entries(STAGES)) {
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    Deno.test(`callWithEnsembleServer leaves no socket when ${signal} comes ${stage}`, async () => {
      using ensemble = new TemporaryEnsemble();
      await Deno.mkdir(`${ensemble.gerbilPath}/ensemble`, { recursive: true });
      await Deno.writeFile(ensemble.cookiePath, new Uint8Array(32), { mode: 0o600 });
      await Deno.mkdir(ensemble.socketDirectory, { mode: 0o700 });
      // A registry that takes connections and never answers.
      const path = `${ensemble.socketDirectory}/registry`;
      using registry = Deno.listen({ transport: "unix", path });
      const connected = registry.accept();
      // One that it was told to ignore, and one that asks a server without a terminal to read its files again.
      const hangup = signal === "SIGTERM" ? "--ignore-signal=HUP" : "--default-signal=HUP";
      const process = ensemble.external(
        "env",
        hangup,
        Deno.execPath(),
        "eval",
        "--no-check",
        `import { callWithEnsembleServer, parseServerId } from ${RUNTIME};
         const reached = () => console.log("reached");
         await callWithEnsembleServer(parseServerId("a"), () => {}, { ${options} });`,
      ).spawn();
      try {
        const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
        assert.match((await output.read()).value ?? "", /reached/);
        if (stage === "while it waits for the registry") await connected;
        assert.deepEqual(sockets(ensemble).sort(), ["a", "registry"]);
        process.kill("SIGHUP");
        process.kill(signal);
        assert.equal((await process.status).code, code);
        assert.deepEqual(sockets(ensemble), ["registry"]);
        await output.cancel();
      } finally {
        await process.stderr.cancel();
        registry.close();
        await connected.then((stream) => stream.close(), () => {});
      }
    });
  }
}
