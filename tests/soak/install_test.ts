import assert from "node:assert/strict";
import { findProgram, MOUNTS, testWith } from "../requirements.ts";
import { SecureMirror } from "../scripts/secure_mirror.ts";
import {
  INSTALLING,
  scriptText,
  standIn,
  TARGET,
  TemporaryRelease,
} from "../scripts/temporary_release.ts";

const GXENSEMBLE = `gxensemble-${TARGET}`;

/** The files that a release of a version installs. */
const both = (version: string) => ({
  "ensemble-registry": standIn("ensemble-registry", version),
  gxensemble: standIn("gxensemble", version),
});

/** A user that is not root and owns nothing. */
const NOBODY = 65534;

const isRoot = Deno.uid() === 0;

testWith(INSTALLING, {
  name: "install.sh leaves a running program its old file",
  async fn() {
    await using release = new TemporaryRelease("2.0.0");
    Deno.mkdirSync(release.to, { recursive: true });
    const path = `${release.to}/gxensemble`;
    Deno.copyFileSync(findProgram("sleep")!, path);
    const running = new Deno.Command(path, { args: ["600"] }).spawn();
    try {
      const { code, stderr } = await release.install();
      assert.equal(code, 0, stderr);
      assert.deepEqual(release.installed(), both("2.0.0"));
      if (Deno.build.os === "linux") {
        assert.equal(Deno.readLinkSync(`/proc/${running.pid}/exe`), `${path} (deleted)`);
      }
    } finally {
      running.kill("SIGKILL"); // Throws if it had ended.
      assert.equal((await running.status).signal, "SIGKILL");
    }
  },
});

testWith(INSTALLING, {
  name: "install.sh changes nothing in a directory that it cannot write to",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    assert.equal((await release.install()).code, 0);
    release.release("1.2.4");
    const user = isRoot ? NOBODY : undefined;
    // The user "nobody" cannot read the checkout either.
    const piped = scriptText();
    Deno.chmodSync(release.to, 0o555);
    assert.match(
      await release.failure({ user, piped }),
      /^cannot write to \S+prefix\/bin: .*denied/,
    );
    const args = ["--to", `${release.to}/deeper`];
    assert.match(await release.failure({ user, piped, args }), /^cannot make \S+deeper: .*denied/);
    Deno.chmodSync(release.to, 0o755);
    assert.match(
      await release.failure({ args: ["--to", `${release.to}/gxensemble/bin`] }),
      /^cannot make \S+: .*(exists|Not a directory)/,
    );
    Deno.removeSync(`${release.to}/gxensemble`);
    Deno.mkdirSync(`${release.to}/gxensemble`);
    const { code, stderr } = await release.install();
    assert.equal(code, 1);
    assert.match(stderr, /error: \S+gxensemble is in the way: it is a directory\n$/);
  },
});

testWith([MOUNTS, ...INSTALLING], {
  name: "install.sh keeps the installed files when the disk is full",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    release.files.set(GXENSEMBLE, standIn("gxensemble", "1.2.3").padEnd(100_000, "#"));
    release.sum();
    Deno.mkdirSync(release.to, { recursive: true });
    // A disk that only this process sees.
    const script = `mount -t tmpfs -o size=32k none '${release.to}' || exit
      echo old > '${release.to}/gxensemble'
      "$@"
      code=$?
      (cd '${release.to}' && find . -type f && cat gxensemble)
      exit $code`;
    const within = ["unshare", "--mount", "sh", "-c", script, "sh"];
    const { code, stdout, stderr } = await release.install({ within });
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "./gxensemble\nold\n" });
    assert.match(stderr, /\ninstall\.sh: error: cannot write to \S+bin: .*No space left[^\n]*\n$/);
    release.assertTidy();
  },
});

testWith(INSTALLING, {
  name: "install.sh does not install a program that does not run on this machine",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    release.files.set(
      `ensemble-registry-${TARGET}`,
      "#!/bin/sh\necho 'libc.so.6: version `GLIBC_2.99` not found' >&2\nexit 1\n",
    );
    release.sum();
    assert.equal(
      await release.failure(),
      "ensemble-registry does not run on this machine: libc.so.6: version `GLIBC_2.99` not found",
    );
    assert.match(
      await release.failure({ args: ["--only", "gxensemble", "--version", "v1.2.4"] }),
      /^http:\S+ has no gxensemble v1\.2\.4: .* reports gxensemble 1\.2\.3 \(a stand-in\)$/,
    );
    const one = await release.install({ args: ["--only", "gxensemble", "--version", "1.2.3"] });
    assert.equal(one.code, 0, one.stderr);
    assert.deepEqual(Object.keys(release.installed()), ["gxensemble"]);
  },
});

testWith(INSTALLING, {
  name: "install.sh reports a platform without a build before it downloads anything",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    const on = (system: string, machine: string, others: Record<string, string> = {}) =>
      release.stub({
        uname: `case $1 in -s) echo ${system} ;; -m) echo ${machine} ;; esac`,
        ...others,
      });
    const reasons = {
      "there is no build for FreeBSD, only for Linux and macOS": on("FreeBSD", "amd64"),
      "there is no build for Linux on riscv64, only on x86_64 and aarch64": on(
        "Linux",
        "riscv64",
      ),
      "there is no build for Linux with musl, as Alpine has it: use a system with glibc, like Debian":
        on("Linux", "x86_64", { ldd: "echo 'musl libc (x86_64)' >&2; exit 1" }),
      "Windows is not supported: use Linux or macOS, or WSL 2 on Windows": on(
        "MINGW64_NT-10.0",
        "x86_64",
      ),
    };
    for (const [reason, PATH] of Object.entries(reasons)) {
      assert.equal(await release.failure({ env: { PATH } }), reason);
    }
    assert.deepEqual(release.requests, []);

    // And those with one get theirs.
    for (
      const [PATH, target] of [
        [on("Linux", "arm64"), "aarch64-unknown-linux-gnu"],
        [on("Darwin", "arm64"), "aarch64-apple-darwin"],
        [on("Darwin", "x86_64"), "x86_64-apple-darwin"],
      ] as const
    ) {
      release.files.set(`gxensemble-${target}`, standIn("gxensemble", target));
      release.sum();
      const { stdout } = await release.install({ env: { PATH }, args: ["--only", "gxensemble"] });
      assert.match(stdout, new RegExp(`^installed gxensemble ${target} `));
    }
  },
});

testWith(INSTALLING, {
  name: "install.sh names the tools that are missing",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    const without = { PATH: release.tools() };
    assert.match(await release.failure({ env: without }), /^neither curl nor wget is here/);
    const [downloader] = ["curl", "wget"].filter(findProgram);
    const unverified = { PATH: release.tools(downloader!) };
    assert.match(
      await release.failure({ env: unverified }),
      /^neither sha256sum nor shasum is here/,
    );
    assert.deepEqual(release.requests, []);
    if (findProgram("shasum") && findProgram("perl")) {
      const env = { PATH: release.tools(downloader!, "shasum", "perl") };
      assert.equal((await release.install({ env })).code, 0);
    }
  },
});

testWith(INSTALLING, {
  name: "install.sh reports whether the installed program is the one that will run",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    const onPath = `${release.to}:${Deno.env.get("PATH")}`;
    for (const PATH of [onPath, onPath.replace(":", "/:")]) {
      const { stdout } = await release.install({ env: { PATH } });
      assert.equal(stdout.split("\n").length, 3, stdout);
    }
    const shadowed = release.stub({ gxensemble: "echo another" });
    const [other] = shadowed.split(":");
    const PATH = `${other}:${onPath}`;
    const { stdout: warned } = await release.install({ env: { PATH } });
    assert.match(
      warned,
      new RegExp(
        `\n\\S+ is on your PATH, but gxensemble is ${other}/gxensemble, which comes before`,
      ),
    );
  },
});

for (const shell of ["dash", "bash", "zsh"]) {
  testWith([shell, ...INSTALLING], {
    name: `${shell} runs install.sh from a pipe, and does nothing with a part of it`,
    async fn() {
      await using release = new TemporaryRelease("1.2.3");
      const text = scriptText();
      const last = text.length - "}\n".length;
      const ends = [last, last - 1, last - 2, text.lastIndexOf("\nmain") + "\nmain".length];
      for (let end = 1; end < last; end += 199) ends.push(end);
      for (const end of ends) {
        const { stdout } = await release.install({ piped: text.slice(0, end), shell });
        assert.equal(stdout, "", `the first ${end} characters do something`);
      }
      assert.deepEqual(release.requests, []);
      assert.deepEqual(release.installed(), {});
      release.assertTidy();

      const { code, stderr } = await release.install({ piped: text, shell });
      assert.equal(code, 0, stderr);
      assert.deepEqual(release.installed(), both("1.2.3"));
    },
  });
}

for (const downloader of ["curl", "wget"]) {
  testWith([downloader, ...INSTALLING], {
    name: `install.sh with ${downloader} uses only https, even after a redirect`,
    async fn() {
      await using release = new TemporaryRelease("1.2.3");
      await using mirror = await SecureMirror.start((name) =>
        Response.redirect(`${release.url}/${name}`)
      );
      const PATH = release.tools(downloader, "sha256sum");
      const env = { PATH, ...mirror.trust(release.directory) };
      assert.match(
        await release.failure({ env, from: mirror.url }),
        /^cannot download https:\S+SHA256SUMS: .*(http.*(not supported|disabled)|only https is wanted)/,
      );
      assert.deepEqual(release.requests, []);

      mirror.answer = (name) => new Response(release.files.get(name) as string);
      assert.equal((await release.install({ env, from: mirror.url })).code, 0);
      assert.deepEqual(release.installed(), both("1.2.3"));
      // A redirect from plain http to https is safe.
      const files = new Map(release.files);
      mirror.answer = (name) => new Response(files.get(name) as string);
      release.redirect(mirror.url);
      assert.equal((await release.install({ env })).code, 0);
    },
  });
}

testWith(INSTALLING, {
  name: "install.sh warns about http to other machines, and refuses an invalid URL",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    const { stderr: silent } = await release.install();
    assert.doesNotMatch(silent, /is not https/);
    const { code, stderr } = await release.install({
      from: "http://mirror.invalid/files",
      env: { PATH: release.stub({ curl: "exit 6" }) },
    });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^http:\/\/mirror\.invalid\/files is not https: an attacker on the network can /,
    );
    for (const from of ["ftp://mirror.invalid", "mirror.invalid", "-o/tmp/x"]) {
      const refused = await release.install({ from });
      assert.equal(refused.code, 2, from);
      assert.match(refused.stderr, /is not an https, http or file URL\n/);
    }
  },
});

testWith(["curl", ...INSTALLING], {
  name: "install.sh installs from GitHub only files that gh verifies as built there",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    // Requests for GitHub go to the release of the test.
    const curl = `
      for url; do :; done
      case $* in *"--proto =https "*) ;; *) echo "not only https" >&2; exit 1 ;; esac
      while [ "$1" != -o ]; do shift; done
      exec ${findProgram("curl")} -fsS -o "$2" "${release.url}/\${url##*/}"`;
    const verified = `${release.directory}/verified`;
    const gh = (end: string) => `
      [ "$1 $2 $3" != "attestation verify --help" ] || exit 0
      [ "$1 $2 $4 $5" = "attestation verify --repo gxensemble/gxensemble" ] || exit 99
      echo "\${3##*/}" >>'${verified}'
      ${end}`;
    const install = (scripts: Record<string, string>) =>
      release.install({ from: null, env: { PATH: release.stub({ curl, ...scripts }) } });
    const reason = (stderr: string) => stderr.split("\n").at(-2);

    const refused = await install({ gh: gh("echo 'no attestations found' >&2; exit 1") });
    assert.equal(refused.code, 1);
    assert.equal(
      reason(refused.stderr),
      `install.sh: error: ${GXENSEMBLE} was not built by the project: no attestations found`,
    );
    assert.deepEqual(release.installed(), {});
    release.assertTidy();

    Deno.removeSync(verified);
    const good = await install({ gh: gh("exit 0") });
    assert.equal(good.code, 0, good.stderr);
    assert.equal(Deno.readTextFileSync(verified), `${GXENSEMBLE}\nensemble-registry-${TARGET}\n`);
    assert.deepEqual(release.installed(), both("1.2.3"));

    const loggedOut = await install({ gh: gh("exit 4") });
    assert.equal(loggedOut.code, 0);
    assert.match(
      loggedOut.stderr,
      /\nwho built \S+ is not verified: log in with gh auth login first\n/,
    );
    const without = await install({ gh: "exit 127" });
    assert.equal(without.code, 0);
    assert.match(without.stderr, /\nwho built \S+ is not verified: that takes gh, /);
    // GitHub has no attestation for a file from elsewhere.
    const elsewhere = await release.install({ env: { PATH: release.stub({ gh: gh("exit 1") }) } });
    assert.equal(elsewhere.code, 0, elsewhere.stderr);
  },
});
