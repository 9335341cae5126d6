import assert from "node:assert/strict";
import {
  SERVICE,
  serviceUnit,
  type ServiceUnitOptions,
  SYSTEM_DIRECTORIES,
} from "../../supervisor/service_unit.ts";
import { LINUX, testWith } from "../requirements.ts";

const SYSTEM: ServiceUnitOptions = {
  scope: "system",
  command: ["/bin/true", "supervisor"],
  environment: { ...SYSTEM_DIRECTORIES },
  configuration: "/var/lib/gxensemble/ensemble/ensemble.jsonc",
};

const UNITS: [what: string, ServiceUnitOptions][] = [
  ["of the system", SYSTEM],
  ["of a user", { ...SYSTEM, scope: "user", environment: {} }],
  ["with other directories and special characters", {
    ...SYSTEM,
    command: ["/bin/true", "supervisor", "--config", '/srv/50% "of" $HOME\\x'],
    environment: { ...SYSTEM_DIRECTORIES, GERBIL_PATH: "/srv/an ensemble" },
    configuration: "/srv/50% x.jsonc",
  }],
];

for (const [what, options] of UNITS) {
  testWith([LINUX, "systemd-analyze"], {
    name: `serviceUnit makes a unit ${what} that systemd accepts`,
    fn() {
      const directory = Deno.makeTempDirSync();
      try {
        const path = `${directory}/${SERVICE}.service`;
        Deno.writeTextFileSync(path, serviceUnit(options));
        const { code, stdout, stderr } = new Deno.Command("systemd-analyze", {
          args: ["verify", "--man=no", `--${options.scope}`, path],
          env: { XDG_RUNTIME_DIR: directory },
        }).outputSync();
        const text = new TextDecoder().decode(new Uint8Array([...stdout, ...stderr]));
        // It looks at the units of the host that ours names, too.
        const own = text.split("\n").filter((line) => line.includes(SERVICE));
        assert.deepEqual({ code, own }, { code: 0, own: [] });
      } finally {
        Deno.removeSync(directory, { recursive: true });
      }
    },
  });
}

/** The values of a setting. */
function values(unit: string, name: string): string[] {
  return Array.from(
    unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm")),
    ([, value]) => value!,
  );
}

Deno.test("serviceUnit quotes words when they have special characters", () => {
  const unit = serviceUnit(UNITS[2]![1]);
  assert.deepEqual(values(unit, "ExecStart"), [
    String.raw`/bin/true supervisor --config "/srv/50%% \"of\" $$HOME\\x"`,
  ]);
  assert.deepEqual(values(unit, "Environment"), [
    '"GERBIL_PATH=/srv/an ensemble" ENSEMBLE_SOCKET_DIR=/run/gxensemble ' +
    "GXENSEMBLE_CACHE_DIR=/var/cache/gxensemble",
  ]);
  assert.deepEqual(values(unit, "ReadWritePaths"), ['"/srv/an ensemble" /tmp /var/tmp']);
  assert.deepEqual(values(unit, "StateDirectory"), []);
  assert.deepEqual(values(unit, "AssertPathExists"), ["/srv/50%% x.jsonc"]);
});

Deno.test("serviceUnit leaves servers alone when the supervisor ends", () => {
  const unit = serviceUnit(SYSTEM);
  const expected = {
    KillMode: "process",
    OOMPolicy: "continue",
    RuntimeDirectoryPreserve: "yes",
    PrivateTmp: undefined,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.deepEqual(values(unit, name), value === undefined ? [] : [value]);
  }
});
