/**
 * The start of the executables, before anything of theirs is imported.
 *
 * It is JavaScript, since other runtimes cannot load the rest, nor Deno when a file server declares `.ts` as something
 * other than TypeScript.
 *
 * @module
 */

/**
 * Runs an executable, or says in one line why it cannot run here.
 *
 * @param {string} program its name in messages.
 * @param {{ isMain: boolean, run: () => Promise<number> }} options `isMain` says whether it was started, rather than
 * imported; `run` imports the rest, and gives the exit code.
 */
export async function start(program, { isMain, run }) {
  const end = (reason) => {
    console.error(`${program}: error: ${reason}`);
    (globalThis.Deno ?? globalThis.process).exit(1);
  };
  const { Deno } = globalThis;
  if (!Deno) {
    const runtime = globalThis.process.versions.bun === undefined ? "Node.js" : "Bun";
    return end(
      `${runtime} is not supported: run it with Deno (https://deno.com), which npm has too: ` +
        "npx deno@2.9.6 run -A",
    );
  }
  if (!isMain) return;
  if (Deno.build.os === "windows") {
    return end("Windows is not supported: use Linux or macOS, or WSL 2 on Windows");
  }
  try {
    // First, because Deno soon hides which signals the process was started to ignore.
    const { keepIgnoringHangup } = await import("../runtime/home/signals.ts");
    keepIgnoringHangup();
    const { endProcess } = await import("../runtime/home/process_end.ts");
    endProcess(await run());
  } catch (error) {
    if (!String(error).includes("identified a Unknown module")) throw error;
    end(
      `${
        new URL(import.meta.url).origin
      } does not say of .ts files that they are TypeScript: let it ` +
        "serve them as application/typescript, video/mp2t, text/plain or application/octet-stream",
    );
  }
}
