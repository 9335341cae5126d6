import assert from "node:assert/strict";
import { EtcdGateway } from "../../registry/etcd_gateway.ts";
import { EtcdStore } from "../../registry/etcd_store.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { InternetAddress } from "../../runtime/wire/address.ts";
import { openssl } from "../certificate_tools.ts";
import { EtcdCluster, type EtcdTls } from "../etcd_cluster.ts";
import { findProgram, testWith } from "../requirements.ts";
import { Proxy } from "../runtime/server/proxy.ts";
import { testConformance } from "./conformance.ts";
import { FollowedStore, ownEntry } from "./followed_store.ts";

const isHere = findProgram("etcd") !== undefined;
let cluster: EtcdCluster;
let prefixes = 0;

Deno.test.beforeAll(async () => {
  if (isHere) cluster = await EtcdCluster.start();
});
Deno.test.afterAll(async () => {
  if (isHere) await cluster[Symbol.asyncDispose]();
});

testConformance({
  name: "etcd",
  lease: 300,
  test: (name, fn) => testWith(["etcd"], { name, fn }),
  make() {
    const prefix = newPrefix();
    return Promise.resolve({
      open: ({ lease }) =>
        Promise.resolve(new EtcdStore({ members: cluster.addresses, prefix, lease })),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

function newPrefix(): string {
  return `test${prefixes++}`;
}

/** Starts a store of a registry. */
async function start(
  options: Partial<ConstructorParameters<typeof EtcdStore>[0]> = {},
): Promise<FollowedStore> {
  return await FollowedStore.start(
    new EtcdStore({ members: cluster.addresses, prefix: "test", lease: 60_000, ...options }),
  );
}

/** Waits until a condition holds. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 50));
}

testWith(["etcd"], {
  name: "etcd store: registries over one cluster see the same changes with the same revisions",
  async fn() {
    const prefix = newPrefix();
    await using first = await start({ prefix });
    await using second = await start({ prefix });
    assert.equal(first.store.epoch, second.store.epoch);
    const revision = await first.put(ownEntry("a", { roles: ["r"] }));
    assert.equal(await second.store.put(ownEntry("a"), 0), undefined, "the id is taken");
    await second.directory.reached(revision);
    await second.put(ownEntry("b"));
    await second.put(ownEntry("a", { state: "draining", roles: ["r"] }));
    await second.store.lapse("a", second.get("a")!.revision);
    await second.until(() => second.get("a")!.state === "unreachable");
    await second.remove("b");
    await first.directory.reached(second.directory.revision);
    assert.deepEqual(first.changes, second.changes);
    assert.deepEqual(first.told, ["up a", "up b", "draining a", "unreachable a", "left b"]);
    assert.deepEqual(first.entries, second.entries);
  },
});

testWith(["etcd"], {
  name: "etcd store: ensembles with different prefixes do not see each other",
  async fn() {
    const prefix = newPrefix();
    await using first = await start({ prefix });
    await using second = await start({ prefix: `${prefix}/2` });
    await using third = await start({ prefix: `${prefix}2` });
    await first.put(ownEntry("a"));
    await second.put(ownEntry("b"));
    await third.put(ownEntry("c"));
    assert.equal(new Set([first, second, third].map(({ store }) => store.epoch)).size, 3);
    assert.deepEqual(first.told, ["up a"]);
    assert.deepEqual(second.told, ["up b"]);
    assert.deepEqual(third.told, ["up c"]);
  },
});

testWith(["etcd"], {
  name: "etcd store: registries know each other until they are closed",
  async fn() {
    const prefix = newPrefix();
    await using first = await start({ prefix });
    const names = async (store: FollowedStore) =>
      (await store.store.registries()).map(({ instance }) => instance[0]).sort();
    {
      await using second = await start({ prefix });
      await first.store.announce(ownEntry("registry", { instance: new Uint8Array(32).fill(8) }));
      await second.store.announce(ownEntry("registry", { instance: new Uint8Array(32).fill(9) }));
      await until(async () => (await names(first)).length === 2);
      assert.deepEqual(await names(first), [8, 9]);
      assert.deepEqual(await names(second), [8, 9]);
      assert.deepEqual(first.entries, []);
    }
    await until(async () => (await names(first)).length === 1);
    assert.deepEqual(await names(first), [8]);
  },
});

testWith(["etcd"], {
  name: "etcd store: a lease that is renewed at another registry is measured there",
  async fn() {
    const prefix = newPrefix();
    const lease = 2_000;
    await using first = await start({ prefix, lease });
    await using second = await start({ prefix, lease });
    const { instance } = ownEntry("a");
    await second.directory.reached(await first.put(ownEntry("a")));
    assert.ok(first.store.leaseLeft("a") !== undefined);
    assert.equal(second.store.leaseLeft("a"), undefined);
    assert.equal(await second.store.renew("a", instance), true);
    await until(() => first.store.leaseLeft("a") === undefined);
    assert.ok(second.store.leaseLeft("a")! > 0);
    // The first one is gone for longer than its lease.
    await first.store.close();
    const renewing = setInterval(() => second.store.renew("a", instance), lease / 4);
    const other = await start({ prefix, lease });
    await other.put(ownEntry("b"));
    await other.store.close();
    // The etcd lease of the registry that heard it ends.
    await second.until(() => second.get("b")?.state === "unreachable");
    clearInterval(renewing);
    assert.equal(second.get("a")!.state, "up");
    assert.deepEqual(second.told, ["up a", "up b", "unreachable b"]);
  },
});

testWith(["etcd"], {
  name: "etcd store: damaged and foreign values are left out",
  async fn() {
    const prefix = newPrefix();
    const put = async (key: string, value: string) =>
      await cluster.ask("/v3/kv/put", { key: btoa(`${prefix}/${key}`), value: btoa(value) });
    await put("servers/broken", "{");
    await put("servers/b", '{"id":"b","instance":"00"}');
    await put("alive/nothing", "x");
    await put("something/else", "x");
    await put("registries/x", "null");
    await using store = await start({ prefix });
    assert.deepEqual(store.entries, []);
    assert.deepEqual(await store.store.registries(), []);
    await put("servers/c", "[]");
    await put("removed", "[1,");
    await store.put(ownEntry("a"));
    await store.put(ownEntry("broken"));
    assert.deepEqual(store.told, ["up a", "up broken"]);
    await put("servers/a", "{}");
    await store.until(() => !store.get("a"));
    assert.deepEqual(store.told, ["up a", "up broken", "gone a"]);
    await store.put(ownEntry("a"));
  },
});

/** A way to etcd that can be cut. */
async function cable(): Promise<Proxy> {
  const at = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
  return await Proxy.start({ at, target: cluster.addresses[0]! });
}

/** Mends a way that hangs. What was sent meanwhile is lost. */
function mend(cable: Proxy): void {
  cable.cut();
  cable.resume();
}

testWith(["etcd"], {
  name: "etcd store: a registry that was cut off says so, and goes on where it was",
  async fn() {
    const prefix = newPrefix();
    const lease = 2_000;
    await using way = await cable();
    await using cutOff = await start({ prefix, lease, members: [way.address as InternetAddress] });
    await using other = await start({ prefix, lease });
    const { instance } = ownEntry("a");
    await other.directory.reached(await cutOff.put(ownEntry("a")));
    way.hang();
    await until(() => cutOff.directory.staleFor !== undefined);
    assert.ok(cutOff.directory.staleFor! > 1_000);
    assert.equal(cutOff.get("a")!.state, "up", "the last known state");
    await assert.rejects(
      async () => await cutOff.store.renew("a", instance),
      /^EnsembleError: the registry is cut off from its store: use another one, or wait$/,
    );
    await assert.rejects(cutOff.store.put(ownEntry("c"), 0), (error) => {
      assert.ok(error instanceof EnsembleError);
      assert.equal(error.code, "DISCONNECTED");
      assert.match(error.message, /^no answer from etcd, last tried at http:\/\/127\.0\.0\.1:/);
      return true;
    });
    // Its etcd lease ends.
    await other.until(() => other.get("a")!.state === "unreachable");
    await other.put(ownEntry("b"));
    mend(way);
    await cutOff.until(() => cutOff.get("b") !== undefined);
    await until(() => cutOff.directory.staleFor === undefined);
    assert.equal(await cutOff.store.renew("a", instance), false, "it has to register again");
    await other.directory.reached(await cutOff.put(ownEntry("a")));
    assert.deepEqual(cutOff.changes, other.changes);
    assert.deepEqual(cutOff.told, ["up a", "unreachable a", "up b", "up a"]);
  },
});

testWith(["etcd"], {
  name: "etcd store: a registry begins anew if etcd has been compacted while it was cut off",
  async fn() {
    const prefix = newPrefix();
    await using way = await cable();
    await using cutOff = await start({ prefix, members: [way.address as InternetAddress] });
    await using other = await start({ prefix });
    await other.put(ownEntry("a"));
    await other.put(ownEntry("b"));
    await cutOff.directory.reached(other.directory.revision);
    way.hang();
    await other.remove("a");
    await other.put(ownEntry("c"));
    const { header } = await cluster.ask("/v3/kv/range", { key: btoa("x") });
    await cluster.ask("/v3/kv/compaction", { revision: header.revision, physical: true });
    mend(way);
    await cutOff.until(() => cutOff.get("c") !== undefined);
    assert.deepEqual(cutOff.told, ["up a", "up b"], "the others are not known one by one");
    assert.deepEqual(cutOff.entries, other.entries);
    assert.ok(cutOff.directory.revision >= other.directory.revision);
    await other.directory.reached(await cutOff.put(ownEntry("d")));
    assert.deepEqual(cutOff.entries, other.entries);
  },
});

testWith(["etcd"], {
  name: "etcd store: a cluster that cannot be reached is an error that says where it was tried",
  async fn() {
    const none = { kind: "tcp", host: "127.0.0.1", port: 1 } as const;
    await assert.rejects(start({ members: [none] }), (error) => {
      assert.ok(error instanceof EnsembleError);
      assert.match(
        error.message,
        /^cannot open the store in etcd: no answer from etcd, last tried at http:\/\/127\.0\.0\.1:1: /,
      );
      return true;
    });
  },
});

testWith(["etcd"], {
  name: "etcd store: a member that dies and one that hangs are left for another",
  async fn() {
    await using cluster = await EtcdCluster.start({ size: 3 });
    const { addresses: members } = cluster;
    await using first = await start({ members });
    await using second = await start({ members });
    const dead = await cluster.leader();
    await dead.kill();
    await first.put(ownEntry("a"));
    await second.put(ownEntry("b"));
    dead.start();
    await until(async () => await dead.ask("/v3/kv/range", { key: btoa("x") }) !== undefined);
    const hanging = await cluster.leader();
    hanging.signal("SIGSTOP");
    await first.put(ownEntry("c"));
    await second.put(ownEntry("d"));
    const { revision } = first.directory.get("c")!;
    await second.directory.reached(Math.max(revision, second.directory.revision));
    await first.directory.reached(second.directory.revision);
    assert.deepEqual(first.entries, second.entries);
    assert.deepEqual(first.entries.map(({ id }) => id), ["a", "b", "c", "d"]);
    hanging.signal("SIGCONT");
  },
});

testWith(["etcd"], {
  name: "etcd store: after the whole cluster was killed and started again, all goes on",
  async fn() {
    await using cluster = await EtcdCluster.start({ size: 3 });
    await using store = await start({ members: cluster.addresses, lease: 4_000 });
    const { instance } = ownEntry("a");
    await store.put(ownEntry("a"));
    await cluster.killAll();
    await until(() => store.directory.staleFor !== undefined);
    cluster.startAll();
    await until(() => store.directory.staleFor === undefined);
    await store.put(ownEntry("b"));
    // The cluster may hold one more election.
    await until(async () => {
      try {
        return await store.store.renew("a", instance) || await store.put(ownEntry("a")) > 0;
      } catch (error) {
        if (!(error instanceof EnsembleError)) throw error;
        return false;
      }
    });
    assert.deepEqual(store.entries.map(({ id, state }) => `${id} ${state}`), ["a up", "b up"]);
  },
});

/** Makes an authority, and certificates of members and of a client. */
async function makeCertificates(directory: string): Promise<EtcdTls & { client: string }> {
  const path = (name: string) => `${directory}/${name}`;
  const run = async (...args: string[]) => {
    const { code, stderr } = await openssl(...args);
    assert.equal(code, 0, stderr);
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const [authority, key] = [path("ca.pem"), path("ca.key")];
  const subject = ["-subj", "/CN=authority"];
  await run("req", "-x509", ...newKey, "-keyout", key, "-out", authority, ...subject);
  const issue = async (name: string, extensions: string) => {
    const request = path(`${name}.csr`);
    await Deno.writeTextFile(path(`${name}.ext`), extensions);
    // etcd's gateway takes no user from a client whose certificate has a common name.
    await run("req", ...newKey, "-keyout", path(name), "-out", request, "-subj", `/O=${name}`);
    const signing = ["-CA", authority, "-CAkey", key, "-CAcreateserial"];
    const options = ["-extfile", path(`${name}.ext`), "-out", path(`${name}.pem`)];
    await run("x509", "-req", "-in", request, ...signing, ...options);
    await Deno.chmod(path(name), 0o600);
  };
  await issue(
    "member",
    "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
  );
  await issue("client", "extendedKeyUsage=clientAuth\n");
  return {
    authority,
    certificate: path("member.pem"),
    key: path("member"),
    client: path("client"),
  };
}

testWith(["etcd", "openssl"], {
  name: "etcd store: client certificates, and a user with a password who may use one prefix",
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      const tls = await makeCertificates(directory);
      const [authorities, certificate, key] = await Promise.all(
        [tls.authority, `${tls.client}.pem`, tls.client].map((path) => Deno.readTextFile(path)),
      );
      await using cluster = await EtcdCluster.start({ tls });
      const { addresses: members } = cluster;
      const access = { authorities, certificate, key };
      using gateway = new EtcdGateway(members, access);
      for (
        const [path, body] of [
          ["user/add", { name: "root", password: "of root" }],
          ["role/add", { name: "root" }],
          ["user/grant", { user: "root", role: "root" }],
          ["user/add", { name: "gx", password: "of gx" }],
          ["role/add", { name: "gx" }],
          ["role/grant", {
            name: "gx",
            perm: { permType: "READWRITE", key: btoa("ens/"), range_end: btoa("ens0") },
          }],
          ["user/grant", { user: "gx", role: "gx" }],
          ["enable", {}],
        ] as const
      ) await gateway.request(`/v3/auth/${path}`, body, { timeout: 20_000 });
      const user = { ...access, user: "gx", password: "of gx" };
      {
        await using store = await start({ members, prefix: "ens", access: user });
        await store.put(ownEntry("a"));
        await store.remove("a");
        assert.deepEqual(store.told, ["up a", "left a"]);
      }
      const refused = (options: Parameters<typeof start>[0], why: RegExp) =>
        assert.rejects(start({ members, prefix: "ens", ...options }), why);
      await Promise.all([
        refused({ access }, /etcd asks for a user: use --store-user/),
        refused({ access: { ...user, password: "wrong" } }, /invalid user ID or password/),
        refused({ access: user, prefix: "other" }, /permission denied/),
        refused({ access: { authorities } }, /no answer from etcd, last tried at https:/),
        refused({ access: { certificate, key } }, /certificate/),
      ]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

testWith(["etcd"], {
  name: "etcd store: registries over one cluster share locks, which outlive the one that gave them",
  async fn() {
    const prefix = newPrefix();
    const claim = (key: string) => ({ name: "n", key, console: key, by: `${key}@host` });
    await using second = await start({ prefix });
    {
      await using first = await start({ prefix });
      const both = [first.store.lock(claim("a")), second.store.lock(claim("b"))];
      const taken = (await Promise.all(both)).map(({ taken }) => taken);
      assert.deepEqual(taken.toSorted(), [false, true]);
      const [winner, loser] = taken[0] ? ["a", "b"] : ["b", "a"];
      assert.equal((await first.store.lock(claim(loser!))).holder?.by, `${winner}@host`);
      assert.deepEqual(await first.store.lock(claim(winner!)), { taken: true });
      assert.equal(await second.store.unlock(claim(winner!)), true);
      assert.deepEqual(await first.store.lock(claim("c")), { taken: true });
    }
    assert.equal((await second.store.lock(claim("d"))).holder?.by, "c@host");
    assert.deepEqual(await second.store.lock({ ...claim("c"), renews: true }), { taken: true });
  },
});
