import assert from "node:assert/strict";
import { BearerToken } from "../../observer/bearer_token.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "gx" });
  try {
    const path = `${directory}/token`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    await use(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("BearerToken is found in the header Authorization only", () =>
  withFile(`${TOKEN}\nsecond line\n`, async (path) => {
    const token = await BearerToken.read(path);
    for (const header of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`]) assert.ok(token.isIn(header));
    const others = [
      ...[undefined, "", TOKEN, "Bearer", "Bearer ", `Basic ${TOKEN}`, `Bearer ${TOKEN}x`],
      ...[`Bearer ${TOKEN.slice(1)}`, `Bearer ${TOKEN.toUpperCase()}`, `Bearer ${TOKEN} x`],
    ];
    for (const header of others) assert.ok(!token.isIn(header), header);
  }));

Deno.test("BearerToken refuses a file that others can read, and one without a token", async () => {
  await withFile(TOKEN, async (path) => {
    await Deno.chmod(path, 0o640);
    await assert.rejects(BearerToken.read(path), {
      name: "EnsembleError",
      message: `other users can read the token ${path} (mode 640): run "chmod 600 ${path}"`,
    });
  });
  for (const text of ["", "\n", "short", "has spaces in its middle", "x".repeat(15)]) {
    await withFile(text, async (path) => {
      await assert.rejects(BearerToken.read(path), { message: /has no token: its first line/ });
    });
  }
  await assert.rejects(BearerToken.read("/nowhere/token"), {
    message: /^there is no token \/nowhere\/token: make one with "/,
  });
});

Deno.test("BearerToken keeps the previous token when the file is no longer valid", () =>
  withFile(TOKEN, async (path) => {
    const token = await BearerToken.read(path);
    await Deno.writeTextFile(path, "");
    await assert.rejects(token.reread(), /has no token/);
    assert.ok(token.isIn(`Bearer ${TOKEN}`));
    await Deno.writeTextFile(path, TOKEN.replaceAll("0", "z"));
    await token.reread();
    assert.ok(!token.isIn(`Bearer ${TOKEN}`));
    assert.ok(token.isIn(`Bearer ${TOKEN.replaceAll("0", "z")}`));
  }));
