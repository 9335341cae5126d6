import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

/** What is found out, in a process whose environment no other test shares. */
interface Found {
  registry?: string[];
  advice?: string;
  known?: Record<string, string[]>;
  nearby?: string[];
  error?: string;
}

function source(path: string): string {
  return JSON.stringify(new URL(`../../../${path}`, import.meta.url).href);
}

/** Calls `locateServers` once for each case: with addresses given, `ENSEMBLE_REGISTRY`, and a file `known-servers`. */
async function locate(
  places: TemporaryEnsemble,
  cases: { given?: string; variable?: string; file?: string }[],
): Promise<Found[]> {
  const { code, stdout, stderr } = await places.evaluate(`
    import { locateServers } from ${source("runtime/ensemble/server_locations.ts")};
    import { formatAddressUrl, parseAddresses } from ${source("runtime/wire/address.ts")};
    const urls = (addresses) => addresses.map(formatAddressUrl);
    const path = Deno.env.get("GERBIL_PATH") + "/ensemble/known-servers";
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const found = [];
    for (const { given = "", variable, file } of ${JSON.stringify(cases)}) {
      if (variable === undefined) Deno.env.delete("ENSEMBLE_REGISTRY");
      else Deno.env.set("ENSEMBLE_REGISTRY", variable);
      if (file !== undefined) Deno.writeTextFileSync(path, file);
      try {
        const locations = await locateServers(parseAddresses(given));
        found.push({
          registry: urls(locations.registry),
          advice: locations.registryAdvice,
          known: Object.fromEntries([...locations.known].map(([id, list]) => [id, urls(list)])),
          nearby: urls(locations.nearby("web1")),
        });
      } catch (error) {
        found.push({ error: error.name + ": " + error.message });
      }
      if (file !== undefined) Deno.removeSync(path);
    }
    console.log(JSON.stringify(found));
  `);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("locateServers goes by the first that says where the registry is, and by that alone", async () => {
  using places = new TemporaryEnsemble();
  const file = "registry tcp://file:3\nweb1 tcp://web:4\n";
  const path = `${places.gerbilPath}/ensemble/known-servers`;
  const local = `unix:${places.socketDirectory}`;
  const start = "start a registry there with: gxensemble registry";
  const found = await locate(places, [
    {},
    { given: "tcp://given:1 unix:/run/e/registry", variable: "tcp://variable:2", file },
    { variable: '(tcp: "variable:2")', file },
    { variable: "", file },
    { file: "web1 tcp://web:4" },
    { given: "unix://elsewhere/run/e/registry" },
    // What is not used may be wrong.
    { given: "tcp://given:1", variable: "nonsense", file: "nonsense" },
    { variable: "tcp://variable:2", file: "nonsense" },
    { variable: "nonsense", file },
    { variable: " ", file },
    { file: "\nnonsense" },
  ]);
  assert.deepEqual(found.splice(0, 8), [
    {
      registry: [`${local}/registry`],
      advice: "start a registry with: gxensemble registry",
      known: {},
      nearby: [`${local}/web1`],
    },
    {
      registry: ["tcp://given:1", "unix:/run/e/registry"],
      advice: `${start} -l tcp://given:1 -l unix:/run/e/registry`,
      known: {},
      nearby: ["unix:/run/e/web1"],
    },
    {
      registry: ["tcp://variable:2"],
      advice: `ENSEMBLE_REGISTRY says that it is there; ${start} -l tcp://variable:2`,
      known: {},
      nearby: [],
    },
    {
      registry: ["tcp://file:3"],
      advice: `${path} says that it is there; ${start} -l tcp://file:3`,
      known: { web1: ["tcp://web:4"] },
      nearby: [`${local}/web1`],
    },
    {
      registry: [`${local}/registry`],
      advice: "start a registry with: gxensemble registry",
      known: { web1: ["tcp://web:4"] },
      nearby: [`${local}/web1`],
    },
    {
      registry: ["unix://elsewhere/run/e/registry"],
      advice: `${start} -l unix://elsewhere/run/e/registry`,
      known: {},
      nearby: [],
    },
    { registry: ["tcp://given:1"], advice: `${start} -l tcp://given:1`, known: {}, nearby: [] },
    {
      registry: ["tcp://variable:2"],
      advice: `ENSEMBLE_REGISTRY says that it is there; ${start} -l tcp://variable:2`,
      known: {},
      nearby: [],
    },
  ]);
  const errors = found.map(({ error }) => error);
  assert.match(
    errors[0]!,
    /^InvalidInputError: ENSEMBLE_REGISTRY: not an address: nonsense: write/,
  );
  assert.equal(errors[1], 'InvalidInputError: ENSEMBLE_REGISTRY holds no address: " "');
  assert.equal(errors[2], `EnsembleError: ${path}:2: no address of nonsense`);
});
