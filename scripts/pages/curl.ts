/**
 * The `curl` of the pages: `curl [-I] <url>`. It needs only Deno, and waits until a server listens,
 * since a script is faster than a reader.
 *
 * @module
 */
const url = Deno.args.at(-1)!;
const isHead = Deno.args[0] === "-I";
const deadline = Date.now() + 60_000;
while (true) {
  try {
    const response = await fetch(url, { method: isHead ? "HEAD" : "GET" });
    if (isHead) console.log(`HTTP/1.1 ${response.status} ${response.statusText}`);
    else await Deno.stdout.write(await response.bytes());
    break;
  } catch (error) {
    if (Date.now() > deadline) throw error;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
