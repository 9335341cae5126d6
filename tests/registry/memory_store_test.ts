import { MemoryStore } from "../../registry/local_store.ts";
import { testConformance } from "./conformance.ts";

testConformance({
  name: "memory",
  lease: 100,
  forgets: true,
  make: () =>
    Promise.resolve({
      open: (options) => Promise.resolve(new MemoryStore(options)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
