import assert from "node:assert/strict";
import {
  type CertifiedKey,
  createIssuing,
  createRoot,
  createServerCertificate,
} from "../../../runtime/pki/certificate_profile.ts";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
} from "../../../runtime/pki/x509.ts";

function constraintsOf({ certificate }: CertifiedKey) {
  const { ca, pathLength, critical } = certificate.getExtension(BasicConstraintsExtension)!;
  const { usages } = certificate.getExtension(KeyUsagesExtension)!;
  return { ca, pathLength, critical, usages };
}

Deno.test("each certificate limits the number of authorities below it", async () => {
  const root = await createRoot("test.internal");
  const issuing = await createIssuing("test.internal", root);
  const options = { id: "httpd1", capabilities: [], hosts: [], days: 30 };
  const server = await createServerCertificate(issuing, options);
  const signing = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
  // RFC 5280, 4.2.1.9: the number of intermediate certificates below it; 0 allows only servers.
  assert.deepEqual(constraintsOf(root), {
    ca: true,
    pathLength: 1,
    critical: true,
    usages: signing,
  });
  assert.deepEqual(constraintsOf(issuing), {
    ca: true,
    pathLength: 0,
    critical: true,
    usages: signing,
  });
  assert.deepEqual(constraintsOf(server), {
    ca: false,
    pathLength: undefined,
    critical: true,
    usages: KeyUsageFlags.digitalSignature,
  });
});
