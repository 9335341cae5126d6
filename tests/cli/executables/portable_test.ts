import assert from "node:assert/strict";
import { MOUNTS, ROOT, testWith } from "../../requirements.ts";
import { PortableHost } from "./portable_host.ts";

/**
 * A program that prints a word, its arguments, and what it inherits of the executable's
 * environment.
 */
const hello = (text: string) =>
  `console.log(${JSON.stringify(text)}, Deno.args.join(), Deno.env.get("DENO_DIR") ?? "");`;

/** A user that is neither root nor the user of the tests. */
const STRANGER = 12_345;

Deno.test("a portable executable unpacks once when it is started twice at the same time", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  // Neither continues before both have begun to unpack.
  await host.replaceTool(
    "gzip",
    (gzip) =>
      `: >"${host.directory}/started.$$"; tries=0
       until set -- "${host.directory}"/started.* && [ $# -gt 1 ]; do
         tries=$((tries + 1)); [ $tries -lt 1000000 ] || exit 1
       done
       exec ${gzip} -dc`,
  );
  const expected = { code: 0, stdout: "one a,b c \n", stderr: "" };
  const start = () => host.shell("./program a 'b c'");
  assert.deepEqual(await Promise.all([start(), start()]), [expected, expected]);
  assert.deepEqual(host.cached(), ["deno", "program"]);
  assert.deepEqual(await start(), expected);
  // A later start needs no tools.
  assert.equal((await host.shell("PATH=/nowhere ./program")).stdout, "one  \n");
});

Deno.test("a portable executable reuses its Deno when only the program changed", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  assert.equal((await host.shell("./program")).stdout, "one  \n");
  await host.compile(hello("two"));
  assert.equal((await host.shell("./program")).stdout, "two  \n");
  assert.deepEqual(host.cached(), ["deno", "program", "program"]);
});

Deno.test("a portable executable unpacks into the home directory when no other is set", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  assert.equal((await host.shell("GXENSEMBLE_CACHE_DIR= ./program")).code, 0);
  assert.deepEqual(host.cached(`${host.directory}/.cache/gxensemble`), ["deno", "program"]);
  const { stderr } = await host.shell("HOME= GXENSEMBLE_CACHE_DIR= ./program");
  assert.match(stderr, /^program: error: no directory to unpack into: set GXENSEMBLE_CACHE_DIR/);
});

Deno.test("a portable executable is built reproducibly, byte for byte", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  const first = await Deno.readFile(host.executable);
  await host.compile(hello("one"));
  assert.deepEqual(await Deno.readFile(host.executable), first);
});

Deno.test("a portable executable runs under any file name", async () => {
  using host = new PortableHost();
  const file = "it's $(touch oops) main.ts";
  await host.compile(hello("one"), { file });
  const name = "a $(touch oops);`touch oops` it's";
  await Deno.rename(host.executable, `${host.directory}/${name}`);
  const start = await host.shell(`'./${name.replaceAll("'", `'\\''`)}'`);
  assert.deepEqual(start, { code: 0, stdout: "one  \n", stderr: "" });

  await host.compile(hello("one"), { file, output: `${host.directory}/${name}` });
  assert.equal((await host.shell(`./"$(ls -d a*)"; ls oops`)).stdout, "one  \n");
});

Deno.test("a portable executable does not unpack where other users can write", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  await Deno.mkdir(host.cache);
  for (const mode of [0o777, 0o770, 0o702]) {
    await Deno.chmod(host.cache, mode);
    const { code, stdout, stderr } = await host.shell("./program");
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, /^program: error: others may write to \S+\/cache: take that from them/);
    assert.deepEqual(host.cached(), []);
  }
});

Deno.test("a portable executable refuses to start when other users can write to its cache", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  assert.equal((await host.shell("./program")).code, 0);
  const runs = async () => (await host.shell("./program")).stdout === "one  \n";
  const reason = async () => {
    const { code, stdout, stderr } = await host.shell("./program");
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    return stderr;
  };
  for (const mode of [0o777, 0o770, 0o702]) {
    await Deno.chmod(host.cache, mode);
    assert.match(await reason(), /^program: error: others may write to \S+\/cache: take that from/);
  }
  // Like /tmp: other users can add files, but not change ours.
  await Deno.chmod(host.cache, 0o1777);
  assert.ok(await runs());
  await Deno.chmod(host.cache, 0o755);
  assert.ok(await runs());

  const inside = ["deno", "program"].map((name) => host.cachedPath(name));
  const files = [`${inside[0]}/deno`, `${inside[1]}/main.js`, `${inside[1]}/package.json`];
  for (const path of [...inside, ...files]) {
    // Shared, as docs/executables.md says.
    const sharing = await host.shell(`chmod -R go+rX ${host.cache}; ./program`);
    assert.deepEqual(sharing, { code: 0, stdout: "one  \n", stderr: "" });
    const { mode } = await Deno.stat(path);
    await Deno.chmod(path, mode! | 0o020);
    assert.match(
      await reason(),
      /^program: error: others may have changed what is in \S+: remove /,
    );
    await Deno.chmod(path, mode!);
    assert.ok(await runs());
  }
});

Deno.test("a portable executable refuses to start when its files were replaced by a link", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  assert.equal((await host.shell("./program")).code, 0);
  for (const directory of [host.cachedPath("deno"), host.cachedPath("program")]) {
    await Deno.rename(directory, `${host.directory}/elsewhere`);
    await Deno.symlink(`${host.directory}/elsewhere`, directory);
    const { stdout, stderr } = await host.shell("./program");
    assert.match(stderr, /^program: error: another user can have filled /);
    assert.equal(stdout, "");
    await Deno.remove(directory);
    await Deno.rename(`${host.directory}/elsewhere`, directory);
  }
});

testWith([ROOT], {
  name: "a portable executable refuses to start when its cache belongs to another user",
  async fn() {
    using host = new PortableHost();
    await host.compile(hello("one"));
    assert.equal((await host.shell("./program")).code, 0);
    for (const path of [host.cache, host.cachedPath("deno"), host.cachedPath("program")]) {
      await Deno.chown(path, STRANGER, STRANGER);
      const { stdout, stderr } = await host.shell("./program");
      assert.match(stderr, /belongs to another user|another user can have filled/);
      assert.equal(stdout, "");
      await Deno.chown(path, 0, 0);
    }
    assert.equal((await host.shell("./program")).code, 0);

    const home = `${host.directory}/home`;
    await Deno.mkdir(home);
    await Deno.chown(home, STRANGER, STRANGER);
    const { stderr } = await host.shell("HOME=$PWD/home GXENSEMBLE_CACHE_DIR= ./program");
    assert.match(stderr, /^program: error: \S+\/home belongs to another user: set GXENSEMBLE_/);
    assert.deepEqual([...Deno.readDirSync(home)], []);
  },
});

Deno.test("a portable executable unpacks again when the unpacked files do not run", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  assert.equal((await host.shell("./program")).code, 0);
  const deno = `${host.cachedPath("deno")}/deno`;
  await Deno.chmod(deno, 0o600);
  assert.equal((await host.shell("./program")).stdout, "one  \n");
  await Deno.truncate(deno);
  assert.equal((await host.shell("./program")).stdout, "one  \n");
  assert.deepEqual(host.cached(), ["deno", "program"]);

  await Deno.remove(host.cache, { recursive: true });
  await Deno.remove(`${host.bin}/tar`);
  const { stderr } = await host.shell("./program");
  assert.equal(stderr, "program: error: unpacking takes tar, which is not on the PATH\n");
});

Deno.test("a portable executable unpacks its own program, not another with the same name", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  await Deno.rename(host.executable, `${host.bin}/program`);
  await host.compile(hello("two"));
  // A shell that is given a name looks for it in this directory first.
  assert.equal((await host.shell("/bin/sh program")).stdout, "two  \n");
  assert.equal((await host.shell("program")).stdout, "one  \n");
  assert.equal((await host.shell("./program")).stdout, "two  \n");

  // While it unpacks, an upgrade replaces the program.
  await Deno.remove(host.cache, { recursive: true });
  await host.replaceTool(
    "gzip",
    (gzip) => `${gzip} "$@"\nmv ${host.bin}/program ${host.executable}`,
  );
  const { code, stdout, stderr } = await host.shell("./program");
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, /^program: error: there is another program at .*\/program by now/);
  assert.deepEqual(host.cached(), []);
});

Deno.test("a portable executable keeps its program's configuration, links and file modes", async () => {
  using host = new PortableHost();
  const at = (name: string) => `${host.directory}/project/${name}`;
  await Deno.mkdir(at(""));
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
  // The existing executable, the build directory and the module are left out.
  await Deno.writeTextFile(at("program"), "an old one");
  const places = { file: "project/main.ts", include: ["project"], output: at("program") };
  await host.compile(program, places);
  const expected = "mine the tool function []\n";
  assert.deepEqual(await host.shell("project/program"), { code: 0, stdout: expected, stderr: "" });
  const names = Array.from(Deno.readDirSync(host.cachedPath("program")), ({ name }) => name).sort();
  assert.deepEqual(names, ["data", "deno.json", "main.js", "package.json"]);
});

Deno.test("a portable executable runs nothing when it is damaged", async () => {
  using host = new PortableHost();
  await host.compile(hello("one"));
  const bytes = await Deno.readFile(host.executable);
  const head = new TextDecoder("latin1").decode(bytes).indexOf("\nexit 126\n") +
    "\nexit 126\n".length;
  for (const length of [200, 4000, head - 20, head, head + 50_000, bytes.length - 10]) {
    await Deno.writeFile(host.executable, bytes.subarray(0, length));
    const { code, stdout } = await host.shell("./program");
    assert.deepEqual([stdout, code === 0 && length >= head], ["", false], `${length} bytes`);
  }
  const { stderr } = await host.shell("./program");
  assert.match(stderr, /^program: error: .*program is damaged \(.*\): get it again\n$/);
  assert.deepEqual(host.cached(), ["deno"]);

  const broken = bytes.slice();
  broken.fill(0, bytes.length - 100, bytes.length - 50);
  await Deno.writeFile(host.executable, broken);
  assert.match((await host.shell("./program")).stderr, /is damaged/);
  await Deno.writeFile(host.executable, bytes);
  assert.equal((await host.shell("./program")).stdout, "one  \n");
});

testWith([ROOT, MOUNTS], {
  name: "a portable executable says why it cannot unpack, and leaves nothing behind",
  async fn() {
    using host = new PortableHost();
    await host.compile(hello("one"));
    await Deno.mkdir(host.cache);
    // Separate file systems that end with the process: one that is full, one read-only, one mounted
    // noexec.
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
        ["size=64k,mode=700", /cannot unpack into .*: .*No space left on device/],
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
