import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { makeExecutable } from "../../cli/executables/executable.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { pipeLines } from "./repl_process.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const HTTPD = fileURLToPath(new URL("../../examples/httpd/httpd_exe.ts", import.meta.url));

/** What a portable executable needs of its host. */
const TOOLS = "sh gzip tar tail head mktemp mkdir mv rm chmod uname sync find ls cat".split(" ");

/** A directory with an executable of a program, and a PATH on which no Deno is. */
class Host implements AsyncDisposable {
  readonly places = new TemporaryEnsemble();
  readonly directory = this.places.directory;
  readonly cache = `${this.directory}/cache`;
  readonly program = `${this.directory}/program`;

  /** Compiles the text of a module. */
  async compile(text: string, file = "main.ts"): Promise<void> {
    const entry = `${this.directory}/${file}`;
    await Deno.writeTextFile(entry, text);
    const { form } = await makeExecutable({ entry, output: this.program, portable: true });
    assert.equal(form, "portable");
    await Deno.mkdir(`${this.directory}/bin`, { recursive: true });
    for (const tool of TOOLS) {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${tool}`] })
        .output();
      const link = `${this.directory}/bin/${tool}`;
      await Deno.symlink(new TextDecoder().decode(stdout).trim(), link).catch(() => {});
    }
  }

  /** Runs a command line of the shell there, to its end. */
  async shell(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", line],
      cwd: this.directory,
      clearEnv: true,
      env: {
        PATH: `${this.directory}/bin`,
        HOME: this.directory,
        GXENSEMBLE_CACHE_DIR: this.cache,
      },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** What is in the cache, without the digits of the hashes. */
  cached(): string[] {
    return Array.from(Deno.readDirSync(this.cache), ({ name }) => name.replace(/-\w{16}$/, ""))
      .sort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.places[Symbol.dispose]();
    return Promise.resolve();
  }
}

const hello = (text: string) =>
  `console.log(${JSON.stringify(text)}, Deno.args.join(), Deno.env.get("DENO_DIR") ?? "");`;

Deno.test("a portable executable: two first starts at once, later ones, an upgrade", async () => {
  await using host = new Host();
  await host.compile(hello("one"));
  const both = await Promise.all([
    host.shell("./program a 'b c'"),
    host.shell("./program a 'b c'"),
  ]);
  for (const start of [...both, await host.shell("./program a 'b c'")]) {
    assert.deepEqual(start, { code: 0, stdout: "one a,b c \n", stderr: "" });
  }
  assert.deepEqual(host.cached(), ["deno", "program"]);
  // All that the later starts need is there, also where nothing can be written.
  assert.equal((await host.shell("PATH=/nowhere ./program")).stdout, "one  \n");

  await host.compile(hello("two"));
  assert.equal((await host.shell("./program")).stdout, "two  \n");
  assert.deepEqual(host.cached(), ["deno", "program", "program"]);
});

Deno.test("a portable executable means the same by any name", async () => {
  await using host = new Host();
  await host.compile(hello("one"), "it's $(touch oops) main.ts");
  const name = "a $(touch oops);`touch oops` it's";
  await Deno.rename(host.program, `${host.directory}/${name}`);
  const start = await host.shell(`'./${name.replaceAll("'", `'\\''`)}'`);
  assert.deepEqual(start, { code: 0, stdout: "one  \n", stderr: "" });

  const output = `${host.directory}/${name}`;
  await makeExecutable({
    entry: `${host.directory}/it's $(touch oops) main.ts`,
    output,
    portable: true,
  });
  assert.equal((await host.shell(`./"$(ls -d a*)"; ls oops`)).stdout, "one  \n");
});

Deno.test("with DENORT_BIN it is compiled by Deno, with all the parts", async () => {
  using places = new TemporaryEnsemble();
  const at = (name: string) => `${places.directory}/${name}`;
  await Deno.writeTextFile(at("main.ts"), `console.log("the start", await import("./part.ts"));`);
  await Deno.writeTextFile(at("part.ts"), `export const part: string = "the part";`);
  await Deno.writeTextFile(at("page.txt"), "the page");
  const command = ["compile", "-o", at("program"), "--include", at("page.txt"), at("main.ts")];
  // A whole Deno in the place of the runtime is as good for being written to, and does not run what is in it.
  places.environment.DENORT_BIN = Deno.execPath();
  const { code, stdout, stderr } = await places.run(...command);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^\.\.\. compiled \S+\/program \(compiled, \d+ bytes\)\n[0-9a-f]{64}\n$/);
  const written = new TextDecoder("latin1").decode(await Deno.readFile(at("program")));
  for (const text of ["the start", "the part", "the page"]) assert.ok(written.includes(text), text);
});

Deno.test("a portable executable that is damaged runs nothing", async () => {
  await using host = new Host();
  await host.compile(hello("one"));
  const bytes = await Deno.readFile(host.program);
  for (const length of [200, 4000, 9000, 1_000_000, bytes.length - 10]) {
    await Deno.writeFile(host.program, bytes.subarray(0, length));
    const { code, stdout } = await host.shell("./program");
    assert.deepEqual([stdout, code === 0 && length > 9000], ["", false], `${length} bytes`);
  }
  const { stderr } = await host.shell("./program");
  assert.match(stderr, /^program: error: .*program is damaged \(.*\): get it again\n$/);
  assert.deepEqual(host.cached(), ["deno"]);

  const broken = bytes.slice();
  broken.fill(0, bytes.length - 100, bytes.length - 50);
  await Deno.writeFile(host.program, broken);
  assert.match((await host.shell("./program")).stderr, /is damaged/);
  await Deno.writeFile(host.program, bytes);
  assert.equal((await host.shell("./program")).stdout, "one  \n");
});

Deno.test({
  name: "a portable executable says what keeps it from unpacking, and leaves nothing (needs root)",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using host = new Host();
    await host.compile(hello("one"));
    await Deno.mkdir(host.cache);
    // File systems of their own, which end with the process: a full one, one that is read, one not to run from.
    const inside = (options: string) =>
      new Deno.Command("unshare", {
        args: [
          ...["-m", "sh", "-c"],
          `mount -t tmpfs -o ${options} none "$1" && cd "$1/.." && ./program; code=$?; ls -A "$1"; exit $code`,
          ...["sh", host.cache],
        ],
        env: { GXENSEMBLE_CACHE_DIR: host.cache },
      }).output();
    for (
      const [options, reason] of [
        ["size=1m,mode=700", /cannot unpack into .*: .*No space left on device/],
        [
          "ro,mode=700",
          /cannot unpack into .*: .*Read-only file system.*; set GXENSEMBLE_CACHE_DIR/,
        ],
        ["noexec,mode=700", /does not run: .*Permission denied.*; set GXENSEMBLE_CACHE_DIR/],
        ["uid=12345,mode=777", /belongs to another user: set GXENSEMBLE_CACHE_DIR/],
      ] as const
    ) {
      const { code, stdout, stderr } = await inside(options);
      assert.equal(code, 1, options);
      assert.match(new TextDecoder().decode(stderr), reason);
      assert.equal(new TextDecoder().decode(stdout), "", options);
    }
  },
});

Deno.test("gxensemble compile: a server in one file joins, and takes code by load and by REPL", async () => {
  await using ensemble = await RunningEnsemble.start();
  const output = `${ensemble.places.directory}/httpd-exe`;
  const [made, hash] = await ensemble.lines("compile", "--portable", "-o", output, HTTPD);
  assert.match(made!, /^\.\.\. compiled \/.*httpd-exe \(portable, \d+ bytes\)$/);
  assert.match(hash!, /^[0-9a-f]{64}$/);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = String(listener.addr.port);
  listener.close();
  const server = ensemble.spawnProgram(output, "httpd3", port);
  await server.until(() => ensemble.answers("httpd3"), "reached");
  const handler = HTTPD.replace("httpd_exe.ts", "handler.ts");
  const loaded = await ensemble.lines("load", "httpd3", handler);
  assert.equal(loaded[0], "... loading library module examples/httpd/httpd.ts");
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), "the world is not flat but round!\n");
  const typed = await pipeLines(ensemble.places, ["httpd3"], [
    ",(import examples/httpd/handler.ts)",
    'setGreeting("hello, i am httpd3 and i am a binary executable\\n")',
    ",(import examples/httpd/httpd.ts)",
    'registerHandler(currentHttpServer(), "/greeting", writeSimpleHandler)',
  ]);
  assert.deepEqual(typed, { code: 0, stdout: "", stderr: "" });
  const greeting = await fetch(`http://127.0.0.1:${port}/greeting`);
  assert.equal(await greeting.text(), "hello, i am httpd3 and i am a binary executable\n");
  assert.match(await ensemble.failure("compile", `${HTTPD}.nosuch`), /^no such file: /);
  assert.match(
    await ensemble.failure("compile", "-o", output, await ensemble.write("bad.ts", "const = 1;")),
    /^cannot bundle .*bad\.ts: /,
  );
  await ensemble.lines("shutdown", "-f", "httpd3");
  assert.equal(await server.exit(), 0);
});
