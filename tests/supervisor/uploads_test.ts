import assert from "node:assert/strict";
import type { Client } from "../../runtime/actor/service.ts";
import type { SupervisorHandlers } from "../../supervisor/supervisor_protocol.ts";
import {
  isUploadName,
  MAX_UPLOAD_PART,
  type UploadRequest,
} from "../../supervisor/uploads_protocol.ts";
import { AdministeredEnsemble, elevated } from "../runtime/server/administered_ensemble.ts";
import { CapturedLogs } from "../runtime/server/captured_logs.ts";
import { HOST, OperatedHost, sha256 } from "./operated_host.ts";

type Bytes = Uint8Array<ArrayBuffer>;

function someBytes(length: number, seed = 1): Bytes {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + seed * 17 + (at >> 8)) & 0xff);
}

async function requestFor(
  bytes: Bytes,
  other: Partial<UploadRequest> = {},
): Promise<UploadRequest> {
  const place = { kind: "executable", name: "shop" } as const;
  return { ...place, size: bytes.length, hash: await sha256(bytes), mode: 0o755, ...other };
}

/** Sends a whole file, or what is missing of it, and returns its path. */
async function upload(
  host: Client<SupervisorHandlers>,
  bytes: Bytes,
  other: Partial<UploadRequest> = {},
): Promise<string> {
  const begun = await host.beginUpload(await requestFor(bytes, other));
  if ("stored" in begun) return begun.stored.path;
  for (let at = begun.have; at < bytes.length; at += MAX_UPLOAD_PART) {
    const part = bytes.slice(at, at + MAX_UPLOAD_PART);
    await host.writeUpload({ upload: begun.upload, offset: at, part });
  }
  return (await host.commitUpload({ upload: begun.upload })).path;
}

Deno.test("an upload is stored whole, with its mode", async () => {
  await using host = await OperatedHost.start();
  const bytes = someBytes(3 * MAX_UPLOAD_PART + 17);
  const path = await upload(host.operate(), bytes);
  assert.equal(path, `${host.directory}/uploads/executables/shop`);
  assert.deepEqual(await Deno.readFile(path), bytes);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o755);
  const [listed] = await host.operate().listUploads();
  assert.deepEqual([listed!.name, listed!.size, listed!.hasPrevious], [
    "shop",
    bytes.length,
    false,
  ]);
});

Deno.test("an upload replaces the file at once, and restoreUpload brings the previous one back", async () => {
  await using host = await OperatedHost.start();
  const [old, young] = [someBytes(1000, 1), someBytes(2000, 2)];
  const path = await upload(host.operate(), old);
  using reader = await Deno.open(path);
  await upload(host.operate(), young);
  assert.equal((await reader.stat()).size, old.length, "a program that runs keeps its file");
  assert.deepEqual(await Deno.readFile(path), young);
  const place = { kind: "executable", name: "shop" } as const;
  assert.equal((await host.operate().restoreUpload(place)).size, old.length);
  assert.deepEqual(await Deno.readFile(path), old);
  await host.operate().restoreUpload(place);
  assert.deepEqual(await Deno.readFile(path), young);
});

Deno.test("restoreUpload says so when there is no previous version", async () => {
  await using host = await OperatedHost.start();
  await upload(host.operate(), someBytes(10));
  const place = { kind: "executable", name: "shop" } as const;
  await assert.rejects(
    host.operate().restoreUpload(place),
    { message: "there is no previous version of the executable shop" },
  );
});

Deno.test("an upload that was cut goes on where it was, over another connection", async () => {
  await using host = await OperatedHost.start();
  const bytes = someBytes(4 * MAX_UPLOAD_PART);
  const cut = await host.ensemble.start("console-2", { listen: [], register: false });
  const begun = await host.operate(cut).beginUpload(await requestFor(bytes));
  assert.ok(!("stored" in begun) && begun.have === 0);
  await host.operate(cut).writeUpload({
    upload: begun.upload,
    offset: 0,
    part: bytes.slice(0, MAX_UPLOAD_PART),
  });
  await host.ensemble.stop(cut);
  const again = await host.operate().beginUpload(await requestFor(bytes));
  assert.ok(!("stored" in again));
  assert.equal(again.have, MAX_UPLOAD_PART);
  assert.deepEqual(await Deno.readFile(await upload(host.operate(), bytes)), bytes);
});

Deno.test("a file that is there already is not sent again, but gets the mode", async () => {
  await using host = await OperatedHost.start();
  const bytes = someBytes(5000);
  const path = await upload(host.operate(), bytes);
  const begun = await host.operate().beginUpload(await requestFor(bytes, { mode: 0o700 }));
  assert.ok("stored" in begun);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
});

Deno.test("a damaged upload is refused, and nothing of it is kept", async () => {
  await using host = await OperatedHost.start();
  const [wanted, sent] = [someBytes(100, 1), someBytes(100, 2)];
  const begun = await host.operate().beginUpload(await requestFor(wanted));
  assert.ok(!("stored" in begun));
  const { upload } = begun;
  await host.operate().writeUpload({ upload, offset: 0, part: sent });
  await assert.rejects(host.operate().commitUpload({ upload }), /the upload of shop is damaged/);
  assert.deepEqual(await host.operate().listUploads(), []);
  const again = await host.operate().beginUpload(await requestFor(wanted));
  assert.ok(!("stored" in again) && again.have === 0);
});

Deno.test("parts out of order, too many, or of another connection are refused", async () => {
  await using host = await OperatedHost.start();
  const bytes = someBytes(100);
  const begun = await host.operate().beginUpload(await requestFor(bytes));
  assert.ok(!("stored" in begun));
  const { upload } = begun;
  const write = (offset: number, part: Bytes) =>
    host.operate().writeUpload({ upload, offset, part });
  await assert.rejects(write(50, bytes.slice(50)), /not the next part of shop: 50 bytes at 50/);
  await assert.rejects(write(0, someBytes(101)), /101 bytes at 0, but 0 of 100 are there/);
  await assert.rejects(host.operate().commitUpload({ upload }), /shop is not complete: 0 of 100/);
  const other = await host.ensemble.start("console-2", { listen: [], register: false });
  await assert.rejects(
    host.operate(other).writeUpload({ upload, offset: 0, part: bytes }),
    new RegExp(`${HOST} has no upload ${upload} of this connection`),
  );
});

Deno.test("two uploads of different files to one name both end whole, and the later one stays", async () => {
  await using host = await OperatedHost.start();
  const other = await host.ensemble.start("console-2", { listen: [], register: false });
  const [one, two] = [someBytes(2 * MAX_UPLOAD_PART, 1), someBytes(2 * MAX_UPLOAD_PART, 2)];
  const [path] = await Promise.all([
    upload(host.operate(), one),
    upload(host.operate(other), two),
  ]);
  const current = await Deno.readFile(path);
  const place = { kind: "executable", name: "shop" } as const;
  await host.operate().restoreUpload(place);
  const previous = await Deno.readFile(path);
  const hashes = async (...all: Bytes[]) =>
    (await Promise.all(all.map(sha256))).map((hash) => hash.toHex()).sort();
  assert.deepEqual(await hashes(current, previous), await hashes(one, two));
});

Deno.test("two uploads of the same file: the later one goes on with what is there", async () => {
  await using host = await OperatedHost.start();
  const bytes = someBytes(200);
  const begun = await host.operate().beginUpload(await requestFor(bytes));
  assert.ok(!("stored" in begun));
  await host.operate().writeUpload({ upload: begun.upload, offset: 0, part: bytes.slice(0, 100) });
  const other = await host.ensemble.start("console-2", { listen: [], register: false });
  const later = await host.operate(other).beginUpload(await requestFor(bytes));
  assert.ok(!("stored" in later) && later.have === 100);
  await assert.rejects(
    host.operate().writeUpload({ upload: begun.upload, offset: 100, part: bytes.slice(100) }),
    /another upload of the same executable shop goes on with this one/,
  );
  assert.deepEqual(await Deno.readFile(await upload(host.operate(other), bytes)), bytes);
});

for (
  const name of [
    ...["", ".", "..", "../shop", "a/../b", "/etc/passwd", "a//b", "a/", "/a", ".hidden", "a/.b"],
    ...[
      "a\0b",
      "a\nb",
      "a b",
      "-rf",
      "a\\b",
      "ü",
      "x".repeat(201),
      "a/b/c/d/e/f/g/h/i",
      "a\u202eb",
    ],
  ]
) {
  Deno.test(`beginUpload refuses the name ${JSON.stringify(name.slice(0, 20))}`, async () => {
    assert.ok(!isUploadName(name));
    await using host = await OperatedHost.start();
    await assert.rejects(
      host.operate().beginUpload(await requestFor(someBytes(1), { name })),
      /not a request beginUpload: name is .*, not a name such as shop or assets\/logo\.png/,
    );
  });
}

Deno.test("a name can have slashes, but neither leads through links nor through files", async () => {
  await using host = await OperatedHost.start();
  const path = await upload(host.operate(), someBytes(1), { kind: "file", name: "assets/a.png" });
  assert.equal(path, `${host.directory}/uploads/files/assets/a.png`);
  const send = (name: string) => upload(host.operate(), someBytes(1), { kind: "file", name });
  await assert.rejects(
    send("assets"),
    /files\/assets is a directory: remove it, or choose another/,
  );
  await assert.rejects(send("assets/a.png/b"), /assets\/a\.png is not a directory/);
  await Deno.symlink("/tmp", `${host.directory}/uploads/files/out`);
  await assert.rejects(send("out/x"), /files\/out is not a directory/);
  await assert.rejects(send("out"), /files\/out is not a regular file/);
});

Deno.test("an upload is refused that takes more than the limit, or than there is space", async () => {
  let free = 1 << 30;
  await using host = await OperatedHost.start({
    limit: 1000,
    freeSpace: () => Promise.resolve(free),
  });
  await upload(host.operate(), someBytes(600));
  const more = await requestFor(someBytes(600, 2), { name: "other" });
  await assert.rejects(
    host.operate().beginUpload(more),
    /other is too large: it takes 600 bytes more, .* has 600, and the limit is 1000: raise/,
  );
  free = (64 << 20) + 100;
  await assert.rejects(
    host.operate().beginUpload(await requestFor(someBytes(200), { name: "other" })),
    /no space for other in .*: it takes 200 bytes more, and uploads may take 100/,
  );
});

Deno.test("uploads are refused unless the host allows them", async () => {
  await using host = await OperatedHost.start({ allowed: ["executor"] });
  await assert.rejects(host.operate().beginUpload(await requestFor(someBytes(1))), {
    message: `${HOST} refuses upload: "filesystem" is off on its host. To allow it, set ` +
      `"supervisor": { "filesystem": true } in ${host.directory}/ensemble.jsonc there`,
  });
});

Deno.test("uploads take the capability filesystem, and are audited", async () => {
  using logs = await CapturedLogs.start();
  await using host = await OperatedHost.start({ ensemble: new AdministeredEnsemble() });
  const request = await requestFor(someBytes(10));
  await assert.rejects(host.operate().beginUpload(request), { code: "NOT_AUTHORIZED" });
  await elevated(host.client, host.server, "executor");
  await assert.rejects(host.operate().beginUpload(request), { code: "NOT_AUTHORIZED" });
  await elevated(host.client, host.server, "filesystem");
  await upload(host.operate(), someBytes(10));
  const audited = logs.matching(/ audit: upload /).map((line) =>
    line.replace(/ who=.* transport=unix/, "")
  );
  assert.deepEqual(audited, [
    "WARN audit: upload refused",
    "WARN audit: upload refused",
    `INFO audit: upload allowed kind=executable name=shop size=10 sha256=${request.hash.toHex()}`,
  ]);
});
