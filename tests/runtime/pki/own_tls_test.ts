import assert from "node:assert/strict";
import { type Expiring, warnOfExpiry } from "../../../runtime/pki/own_tls.ts";
import { stopClock } from "../../fake_clock.ts";
import { CapturedLogs } from "../server/captured_logs.ts";

const DAY = 24 * 60 * 60 * 1000;

/** Files that expire in a number of days. */
function ending(days: { certificate: number; list: number }): Expiring {
  const inDays = (days: number) => new Date(Date.now() + days * DAY);
  return {
    certificate: { id: "httpd1", notAfter: inDays(days.certificate) },
    revocationList: { nextUpdate: inDays(days.list) },
  };
}

Deno.test("warnOfExpiry warns at once and every day for a certificate that expires within 30 days", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setInterval", "clearInterval", "Date");
  const expiring = ending({ certificate: 32.5, list: 397 });
  {
    using _warnings = warnOfExpiry(() => expiring);
    clock.tick(2 * DAY);
    assert.deepEqual(logs.lines, []);
    for (let day = 3; day < 34; day++) {
      clock.tick(DAY);
      assert.equal(logs.lines.length, 1, `day ${day}`);
      const end = expiring.certificate.notAfter.toISOString();
      const left = 32 - day;
      const when = left < 0
        ? `ended at ${end}`
        : `expires at ${end}, in ${left === 1 ? "1 day" : `${left} days`}`;
      assert.equal(
        logs.lines.pop(),
        `WARN server: the certificate of httpd1 ${when}: make a new one with ` +
          `"gxensemble ca cert httpd1", copy it here and send SIGHUP`,
      );
    }
  }
  assert.equal(clock.countTimers(), 0);
});

Deno.test("warnOfExpiry warns at the start, and stops when new files are in use", async () => {
  using logs = await CapturedLogs.start();
  using clock = stopClock("setInterval", "clearInterval", "Date");
  let expiring = ending({ certificate: 29, list: 29 });
  using _warnings = warnOfExpiry(() => expiring);
  assert.equal(logs.lines.length, 2);
  assert.match(
    logs.lines[1]!,
    /^WARN server: the revocation list expires at .*, in 29 days: copy crl\.pem/,
  );
  expiring = ending({ certificate: 397, list: 397 });
  clock.tick(5 * DAY);
  assert.equal(logs.lines.length, 2);
});
