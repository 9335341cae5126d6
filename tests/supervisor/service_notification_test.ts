import assert from "node:assert/strict";
import { ServiceNotification } from "../../supervisor/service_notification.ts";
import { LINUX, testWith } from "../requirements.ts";
import { NotifiedSystemd } from "./notified_systemd.ts";

const environment = (variables: Record<string, string>) => ({
  get: (name: string) => variables[name],
});

for (const kind of ["a path", "an abstract socket"]) {
  testWith([LINUX, "python3"], {
    name: `ServiceNotification notifies systemd when it listens at ${kind}`,
    async fn() {
      const directory = Deno.makeTempDirSync();
      try {
        const path = kind === "a path" ? `${directory}/notify` : `@${directory}/notify`;
        await using systemd = await NotifiedSystemd.listen(path);
        using notification = ServiceNotification.start(environment({ NOTIFY_SOCKET: path }));
        notification!.ready();
        notification!.status("3 servers are up\nREADY=0");
        notification!.reloading();
        notification!.stopping({ timeout: 12_000.5 });
        await systemd.receives("STOPPING=1");
        const { pid } = Deno;
        assert.deepEqual(systemd.received, [
          { pid, lines: ["READY=1"] },
          { pid, lines: ["STATUS=3 servers are up READY=0"] },
          { pid, lines: ["RELOADING=1"] },
          { pid, lines: ["STOPPING=1", "EXTEND_TIMEOUT_USEC=12001000"] },
        ]);
      } finally {
        Deno.removeSync(directory, { recursive: true });
      }
    },
  });
}

testWith([LINUX, "python3"], {
  name: "ServiceNotification gives signs of life when systemd watches this process",
  async fn() {
    const NOTIFY_SOCKET = `@gxensemble-test-${crypto.randomUUID()}`;
    await using systemd = await NotifiedSystemd.listen(NOTIFY_SOCKET);
    const others = { NOTIFY_SOCKET, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" };
    using unwatched = ServiceNotification.start(environment(others))!;
    unwatched.ready();
    const own = { ...others, WATCHDOG_PID: String(Deno.pid) };
    using watched = ServiceNotification.start(environment(own))!;
    watched.ready();
    const signs = () => systemd.received.filter(({ lines }) => lines[0] === "WATCHDOG=1").length;
    while (signs() < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(systemd.received.slice(0, 2).map(({ lines }) => lines[0]), [
      "READY=1",
      "WATCHDOG=1",
    ]);
  },
});

testWith([LINUX], {
  name: "ServiceNotification goes on when systemd is away",
  fn() {
    using notification = ServiceNotification.start(environment({ NOTIFY_SOCKET: "/nowhere" }));
    notification!.ready();
  },
});

Deno.test("ServiceNotification.start does nothing when no systemd asks for notifications", () => {
  assert.equal(ServiceNotification.start(environment({})), undefined);
});

Deno.test("ServiceNotification.start refuses an address that it does not know", () => {
  for (const NOTIFY_SOCKET of ["vsock:2:1234", `/${"x".repeat(200)}`]) {
    assert.throws(
      () => ServiceNotification.start(environment({ NOTIFY_SOCKET })),
      /cannot notify systemd: NOTIFY_SOCKET is/,
    );
  }
});
