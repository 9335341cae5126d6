import { EtcdStore } from "../../registry/etcd_store.ts";
import { EtcdCluster } from "../etcd_cluster.ts";
import { findProgram, testWith } from "../requirements.ts";
import { testConformance } from "./conformance.ts";

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
    const prefix = `test${prefixes++}`;
    return Promise.resolve({
      open: ({ lease }) =>
        Promise.resolve(new EtcdStore({ members: cluster.addresses, prefix, lease })),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});
