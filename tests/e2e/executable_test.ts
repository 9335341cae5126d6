import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MOUNTS, ROOT, testWith } from "../requirements.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { pipeLines } from "./repl_process.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const HTTPD = fileURLToPath(new URL("../../examples/httpd/httpd_exe.ts", import.meta.url));
const HTTPD_SVC = HTTPD.replace("httpd_exe.ts", "httpd_svc.ts");

/** What a portable executable needs of its host. */
const TOOLS = "sh gzip tar tail head mktemp mkdir mv rm chmod uname sync find ls cat".split(" ");

/** A directory with an executable of a program, and a PATH on which no Deno is. */
class Host implements AsyncDisposable {
  readonly places = new TemporaryEnsemble();
  readonly directory = this.places.directory;
  readonly cache = `${this.directory}/cache`;
  readonly program = `${this.directory}/program`;

  /** Compiles the text of a module. */
  async compile(
    text: string,
    { file = "main.ts", include = [] as string[], output = this.program } = {},
  ): Promise<void> {
    const entry = `${this.directory}/${file}`;
    await Deno.writeTextFile(entry, text);
    const included = include.flatMap((path) => ["--include", join(this.directory, path)]);
    const { code, stderr } = await this.places.run(
      ...["compile", "--portable", "-o", output, ...included, "--", entry],
    );
    assert.equal(code, 0, stderr);
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
  cached(cache = this.cache): string[] {
    return Array.from(Deno.readDirSync(cache), ({ name }) => name.replace(/-\w{16}$/, ""))
      .sort();
  }

  /** The directories in the cache whose names start so. */
  cachedPaths(start: string): string[] {
    return Array.from(Deno.readDirSync(this.cache), ({ name }) => `${this.cache}/${name}`)
      .filter((path) => path.startsWith(`${this.cache}/${start}-`));
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

  await host.shell("GXENSEMBLE_CACHE_DIR= ./program");
  assert.deepEqual(host.cached(`${host.directory}/.cache/gxensemble`), ["deno", "program"]);
  const { stderr } = await host.shell("HOME= GXENSEMBLE_CACHE_DIR= ./program");
  assert.match(stderr, /^program: error: no directory to unpack into: set GXENSEMBLE_CACHE_DIR/);

  await host.compile(hello("two"));
  assert.equal((await host.shell("./program")).stdout, "two  \n");
  assert.deepEqual(host.cached(), ["deno", "program", "program"]);
});

Deno.test("a portable executable means the same by any name", async () => {
  await using host = new Host();
  const file = "it's $(touch oops) main.ts";
  await host.compile(hello("one"), { file });
  const name = "a $(touch oops);`touch oops` it's";
  await Deno.rename(host.program, `${host.directory}/${name}`);
  const start = await host.shell(`'./${name.replaceAll("'", `'\\''`)}'`);
  assert.deepEqual(start, { code: 0, stdout: "one  \n", stderr: "" });

  await host.compile(hello("one"), { file, output: `${host.directory}/${name}` });
  assert.equal((await host.shell(`./"$(ls -d a*)"; ls oops`)).stdout, "one  \n");
});

Deno.test("a portable executable runs nothing that others can have put there", async () => {
  await using host = new Host();
  await host.compile(hello("one"));
  await Deno.mkdir(host.cache);
  await Deno.chmod(host.cache, 0o777);
  assert.match((await host.shell("./program")).stderr, /^program: error: others may write to /);
  await Deno.chmod(host.cache, 0o700);

  assert.equal((await host.shell("./program")).stdout, "one  \n");
  for (const { name } of [...Deno.readDirSync(host.cache)]) {
    const directory = `${host.cache}/${name}`;
    await Deno.rename(directory, `${host.directory}/elsewhere`);
    await Deno.symlink(`${host.directory}/elsewhere`, directory);
    const { stdout, stderr } = await host.shell("./program");
    assert.match(stderr, /^program: error: another user can have filled /);
    assert.equal(stdout, "");
    await Deno.remove(directory);
    await Deno.rename(`${host.directory}/elsewhere`, directory);
  }
  // What does not run is unpacked again.
  const [deno] = host.cachedPaths("deno");
  await Deno.chmod(`${deno}/deno`, 0o600);
  assert.equal((await host.shell("./program")).stdout, "one  \n");
  await Deno.truncate(`${deno}/deno`);
  assert.equal((await host.shell("./program")).stdout, "one  \n");
  assert.deepEqual(host.cached(), ["deno", "program"]);

  await Deno.remove(host.cache, { recursive: true });
  await Deno.remove(`${host.directory}/bin/tar`);
  const { stderr } = await host.shell("./program");
  assert.equal(stderr, "program: error: unpacking takes tar, which is not on the PATH\n");
});

Deno.test("a portable executable unpacks itself, and no other that has its name", async () => {
  await using host = new Host();
  await host.compile(hello("one"));
  const bin = `${host.directory}/bin`;
  await Deno.rename(host.program, `${bin}/program`);
  await host.compile(hello("two"));
  // A shell that is given a name looks for it here first.
  assert.equal((await host.shell("/bin/sh program")).stdout, "two  \n");
  assert.equal((await host.shell("program")).stdout, "one  \n");
  assert.equal((await host.shell("./program")).stdout, "two  \n");

  // While it unpacks, an upgrade puts another program in its place.
  await Deno.remove(host.cache, { recursive: true });
  const gzip = await Deno.readLink(`${bin}/gzip`);
  await Deno.remove(`${bin}/gzip`);
  const text = `#!/bin/sh\n${gzip} "$@"\nmv ${bin}/program ${host.program}\n`;
  await Deno.writeTextFile(`${bin}/gzip`, text, { mode: 0o755 });
  const { code, stdout, stderr } = await host.shell("./program");
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, /^program: error: there is another program at .*\/program by now/);
  assert.deepEqual(host.cached(), []);
});

Deno.test("a program takes along what it needs to be as it was", async () => {
  await using host = new Host();
  const at = (name: string) => `${host.directory}/${name}`;
  await Deno.writeTextFile(at("deno.json"), '{ "unstable": ["kv"] }');
  await Deno.writeTextFile(at("package.json"), '{ "name": "mine", "type": "commonjs" }');
  await Deno.mkdir(at("data"));
  await Deno.writeTextFile(at("data/tool"), "#!/bin/sh\necho the tool", { mode: 0o755 });
  await Deno.symlink("tool", at("data/link"));
  const program = `#!/usr/bin/env -S deno run
    const here = import.meta.dirname;
    const { name } = JSON.parse(Deno.readTextFileSync(here + "/package.json"));
    const { stdout } = new Deno.Command(here + "/data/link").outputSync();
    const environment = Object.keys(Deno.env.toObject()).filter((name) =>
      /^DENO_(DIR|NO_UPDATE)|^GXENSEMBLE_SET/.test(name)
    );
    console.log(name, new TextDecoder().decode(stdout).trim(), typeof Deno.openKv, environment);
  `;
  // The executable that there is, the directory in which it is made, and the module are left out.
  await Deno.writeTextFile(host.program, "an old one");
  await host.compile(program, { include: ["."] });
  const expected = "mine the tool function []\n";
  assert.deepEqual(await host.shell("./program"), { code: 0, stdout: expected, stderr: "" });
  const [unpacked] = host.cachedPaths("program");
  const names = Array.from(Deno.readDirSync(unpacked!), ({ name }) => name).sort();
  assert.deepEqual(names, ["data", "deno.json", "main.js", "package.json"]);
});

Deno.test("what cannot be compiled is refused with the reason", async () => {
  await using ensemble = new RunningEnsemble();
  const main = await ensemble.write("main.ts", hello("one"));
  const page = await ensemble.write("index.html", "<p>");
  const loop = ensemble.path("loop");
  await Deno.mkdir(loop);
  await Deno.symlink(".", `${loop}/again`);
  await ensemble.write("bad/deno.json", '{ "unstable": ["nosuch"] }');
  const bad = await ensemble.write("bad/main.ts", hello("one"));
  const taken = await ensemble.write("main.js", "");
  const output = ensemble.path("out");
  const cases: [args: string[], reason: RegExp][] = [
    [["-o", main, main], /^cannot write to .*main\.ts: it is the program's module/],
    [["-o", loop, main], /^cannot write to .*loop: it is a directory; name a file in it$/],
    [["-o", `${output}/`, main], /out\/: that names a directory; name a file$/],
    [["-o", "/dev/null", main], /^cannot write to \/dev\/null: it is not a file$/],
    [["-o", `${output}/nosuch/out`, main], /nosuch: there is no such directory$/],
    [["-o", output, `${main}on`], /^no such file: /],
    [["-o", output, "https://x.test/main.ts"], /is not a file on this host, and only those are/],
    [
      ["-o", output, ensemble.path("bad/deno.json")],
      /^cannot bundle .*deno\.json: it is no module$/,
    ],
    [["-o", output, page], /^cannot bundle .*index\.html: it is no module$/],
    [["-o", output, "--include", loop, main], /loop\/again: it leads back to where it is$/],
    [["-o", output, "--include", "/dev/null", main], /below the directory of the program's module/],
    [["-o", output, "--include", `${loop}/nosuch`, main], /nosuch: it is not there$/],
    [["-o", output, "--include", taken, main], /a part of the program itself has its name/],
    [
      ["-o", output, bad],
      /^the "unstable" of the project in .*bad is wrong: .*nosuch[^]*(?<!<unknown>)$/,
    ],
  ];
  await Promise.all(cases.map(async ([args, reason]) => {
    assert.match(await ensemble.failure("compile", ...args), reason);
  }));
  const left = Array.from(Deno.readDirSync(ensemble.path("")), ({ name }) => name).sort();
  assert.deepEqual(left, ["bad", "index.html", "loop", "main.js", "main.ts"]);
});

Deno.test("a compilation that is interrupted leaves nothing", async () => {
  await using ensemble = new RunningEnsemble();
  const main = await ensemble.write("main.ts", hello("one"));
  const names = () => Array.from(Deno.readDirSync(ensemble.path("")), ({ name }) => name).sort();
  const args = ["compile", "--portable", "-o", ensemble.path("out"), main];
  const isCompiling = () => Promise.resolve(names().length > 1);
  // Whatever these tests were told to ignore.
  const obeying = ["env", "--default-signal=HUP,INT,TERM", ...ensemble.places.program, ...args];
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    const process = ensemble.spawnProgram(...obeying);
    await process.until(isCompiling, "compiling");
    process.signal(signal);
    assert.equal(await process.exit(), code);
    assert.deepEqual(names(), ["main.ts"]);
  }
  // What one leaves that is killed, the next one removes; and two at once wait for each other.
  const killed = ensemble.spawn(...args);
  await killed.until(isCompiling, "compiling");
  await killed.kill();
  assert.deepEqual(names(), [".compiling-out", "main.ts"]);
  const old = await ensemble.write(".compiling-out/program/old", "of one that was killed");
  const unending = ensemble.spawnProgram("nohup", ...ensemble.places.program, ...args);
  const isGone = () => Deno.stat(old).then(() => false, () => true);
  await unending.until(isGone, "compiling");
  unending.signal("SIGHUP");
  const [[, first], [, second]] = await Promise.all([
    ensemble.lines(...args),
    ensemble.lines(...args),
  ]);
  assert.equal(first, second);
  assert.equal(await unending.exit(), 0);
  await Deno.symlink(ensemble.places.directory, ensemble.path(".compiling-out"));
  assert.match(await ensemble.failure(...args), /\.compiling-out is in the way: remove it$/);
  await Deno.remove(ensemble.path(".compiling-out"));
  assert.deepEqual(names(), ["main.ts", "out"]);
});

Deno.test("a program whose project says nothing of the runtime gets a whole one", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.write("deno.json", "{}");
  const main = await ensemble.write(
    "main.ts",
    `
    import { callWithEnsembleServer, parseServerId } from "@gxensemble/ensemble";
    await callWithEnsembleServer(parseServerId("alone"), async (server) => {
      server.serve("greeter", { greet: ({ name }: { name: string }) => "hello " + name });
      await server.stopped;
    });
  `,
  );
  const output = ensemble.path("alone");
  const notice = await ensemble.run("compile", "--portable", "-o", output, `file://${HTTPD_SVC}`);
  assert.equal(notice.code, 0);
  assert.match(
    notice.stderr,
    /^gxensemble: an executable does not call the main that \S+httpd_svc\.ts exports/,
  );
  const compile = () => ensemble.lines("compile", "--portable", "-o", output, main);
  assert.deepEqual(await compile(), await compile());
  const server = ensemble.spawnProgram(output);
  await server.until(() => ensemble.answers("alone"), "reached");
  const loaded = await ensemble.write(
    "loaded.ts",
    `
    import { currentServer } from "@gxensemble/ensemble";
    export const greeting = await currentServer().ask("greeter", { type: "greet", name: "you" });
  `,
  );
  await ensemble.lines("load", "alone", loaded);
  assert.deepEqual(
    await ensemble.lines("eval", "alone", 'ensemble.module("loaded.ts").greeting'),
    ['"hello you"'],
  );
  await ensemble.lines("shutdown", "-f", "alone");
  assert.equal(await server.exit(), 0);
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

testWith([ROOT, MOUNTS], {
  name: "a portable executable says what keeps it from unpacking, and leaves nothing",
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

    const home = `${host.directory}/home`;
    await Deno.mkdir(home);
    await Deno.chown(home, 12_345, 12_345);
    const { stderr } = await host.shell("HOME=$PWD/home GXENSEMBLE_CACHE_DIR= ./program");
    assert.match(stderr, /^program: error: \S+\/home belongs to another user: set GXENSEMBLE_/);
    assert.deepEqual([...Deno.readDirSync(home)], []);
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
