import assert from "node:assert/strict";
import { testWith } from "../requirements.ts";
import { INSTALLING, standIn, TARGET, TemporaryRelease } from "./temporary_release.ts";

const GXENSEMBLE = `gxensemble-${TARGET}`;

/** The files that a release of a version installs. */
const both = (version: string) => ({
  "ensemble-registry": standIn("ensemble-registry", version),
  gxensemble: standIn("gxensemble", version),
});

for (const downloader of ["curl", "wget"]) {
  testWith([downloader, ...INSTALLING], {
    name:
      `install.sh with ${downloader} installs verified downloads, and changes nothing on failure`,
    async fn() {
      await using release = new TemporaryRelease("1.2.3");
      const env = { PATH: release.tools(downloader, "sha256sum") };
      const { code, stdout, stderr } = await release.install({ env });
      assert.equal(code, 0, stderr);
      assert.equal(
        stdout,
        `installed gxensemble 1.2.3 (a stand-in) as ${release.to}/gxensemble\n` +
          `installed ensemble-registry 1.2.3 (a stand-in) as ${release.to}/ensemble-registry\n` +
          `${release.to} is not on your PATH: put this line into your shell's profile:\n` +
          `  export PATH="${release.to}:$PATH"\n`,
      );
      assert.deepEqual(release.installed(), both("1.2.3"));
      assert.equal(Deno.statSync(`${release.to}/gxensemble`).mode! & 0o7777, 0o755);
      release.assertTidy();

      release.release("1.2.4");
      const whole = release.files.get(GXENSEMBLE) as string;
      release.files.set(GXENSEMBLE, () => brokenOff(whole));
      assert.match(await release.failure({ env }), /^cannot download http:\S+gxensemble-/);
      release.files.delete(GXENSEMBLE);
      assert.match(await release.failure({ env }), /^cannot download http:\S+gxensemble-.*404/);
      release.files.set(GXENSEMBLE, whole.slice(0, -1));
      assert.match(
        await release.failure({ env }),
        /^http:\S+ is not what SHA256SUMS says: its SHA-256 is \w{64} and should be \w{64}$/,
      );
      release.files.set(GXENSEMBLE, whole);
      release.files.delete("SHA256SUMS");
      assert.match(await release.failure({ env }), /^cannot download http:\S+SHA256SUMS: .*404/);

      release.sum();
      assert.equal((await release.install({ env })).code, 0);
      assert.deepEqual(release.installed(), both("1.2.4"));
    },
  });
}

testWith(INSTALLING, {
  name: "install.sh refuses SHA256SUMS without the file's line, or with another file's",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    const sums = release.files.get("SHA256SUMS") as string;
    for (
      const others of [
        "",
        sums.replace(GXENSEMBLE, `not-${GXENSEMBLE}`),
        sums.replace(GXENSEMBLE, `${GXENSEMBLE}.exe`),
        sums.slice(10),
      ]
    ) {
      release.files.set("SHA256SUMS", others);
      assert.match(await release.failure(), /^http:\S+SHA256SUMS has no line for gxensemble-/);
    }
    // The format of sha256sum --binary.
    release.files.set("SHA256SUMS", sums.replaceAll("  ", " *"));
    assert.equal((await release.install()).code, 0);
  },
});

testWith(INSTALLING, {
  name: "install.sh refuses invalid options with exit code 2",
  async fn() {
    await using release = new TemporaryRelease("1.2.3");
    const mistakes = {
      "unknown option: --frm": ["--frm", "x"],
      "--to needs a value": ["--to"],
      "--from needs a value": ["--from", ""],
      "there is no deno: use gxensemble or ensemble-registry": ["--only", "deno"],
      "not a version: v../../x": ["--version", "../../x"],
    };
    for (const [mistake, args] of Object.entries(mistakes)) {
      const { code, stderr } = await release.install({ args });
      assert.equal(code, 2);
      assert.equal(stderr, `install.sh: error: ${mistake}\nsee install.sh --help\n`);
    }
    const help = await release.install({ args: ["--help"] });
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: install\.sh /);
    assert.deepEqual(release.requests, []);
  },
});

/** A response that ends prematurely. */
function brokenOff(text: string): Response {
  const half = new TextEncoder().encode(text.slice(0, text.length / 2));
  return new Response(
    new ReadableStream({
      start: (controller) => controller.enqueue(half),
      pull: (controller) => controller.error(new Error("broken off, as the test wants it")),
    }),
  );
}
