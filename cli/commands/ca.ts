/**
 * `gxensemble ca` and its commands: the certificates of servers that use TLS.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { formatNotation, keyword, parseSymbols, symbol } from "../../runtime/notation.ts";
import type { IssuedCertificate } from "../../runtime/pki/certificate_issuing.ts";
import {
  DEFAULT_DAYS,
  type Host,
  parseDays,
  parseDnsName,
  parseHost,
} from "../../runtime/pki/certificate_terms.ts";
import type { X509Certificate } from "../../runtime/pki/x509.ts";
import { KNOWN_CAPABILITIES, parseCapabilities } from "../../runtime/server/capability_names.ts";
import { CONSOLE_ID } from "../../runtime/server/credentials.ts";
import { collecting, completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  forceOption,
  jsonOption,
  type OutputOptions,
  passphraseFileOption,
  serverIdArgument,
  viewOption,
} from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { parseNames } from "../kit/server_set_options.ts";

/** Commander's own report of an unknown command, which it does not declare. */
interface Reporting {
  unknownCommand(): void;
}

/** Manages the certificates of servers that use TLS. */
export function caCommand(): CommandUnknownOpts {
  const ca = new Command("ca").description("manage the certificates of servers that use TLS")
    .addOption(viewOption())
    .addOption(jsonOption())
    .allowExcessArguments()
    .addHelpText(
      "after",
      examples(
        [
          "make an authority, and issue a certificate for a server on web1",
          "gxensemble ca setup",
          "gxensemble ca cert httpd1 --host web1.example.com",
        ],
        ["show everything by fingerprint, with capabilities", "gxensemble ca --view"],
      ),
    )
    // A bundle does not preserve the order in which x509.ts loads its two packages.
    .hook("preAction", async () => void await import("npm:reflect-metadata@^0.2.2"))
    .action(async (options, command) => {
      if (command.args.length > 0) (command as unknown as Reporting).unknownCommand();
      if (!options.view) command.help({ error: true });
      await view(options);
    });
  ca.hook("preAction", (_ca, command) => {
    const { view, json } = ca.opts();
    if (command === ca || !view && !json) return;
    ca.error(
      view ? "ca --view takes no command" : "--json comes after the command, as in: ca show --json",
    );
  });
  for (const command of [setupCommand(), certCommand(), showCommand(), revokeCommand()]) {
    ca.addCommand(command);
  }
  return ca;
}

/**
 * Prints the authority and its certificates: the validity period of each, the SHA-256 of its DER,
 * `(root: "2026-01-02T03:04:05.000Z" "2036-01-02T03:04:05.000Z" "9f86d0...")`, and for a server's
 * certificate its capabilities.
 */
async function view(options: OutputOptions): Promise<void> {
  const { domain, root, issuing, nextUpdate, certificates } = await readAll();
  const authority = { root: await describe(root), issuing: await describe(issuing) };
  if (options.json) {
    return printJson({
      domain,
      ...authority,
      crl: { nextUpdate },
      certificates: certificates.map(certificateJson),
    });
  }
  for (const [name, { notBefore, notAfter, fingerprint }] of Object.entries(authority)) {
    const times = [notBefore.toISOString(), notAfter.toISOString()];
    printLine(formatNotation([keyword(name), ...times, fingerprint]));
  }
  printLine(formatNotation([keyword("crl"), nextUpdate.toISOString()]));
  for (const { id, capabilities, notBefore, notAfter, status, fingerprint } of certificates) {
    printLine(formatNotation([
      symbol(id),
      capabilities.map(symbol),
      notBefore.toISOString(),
      notAfter.toISOString(),
      symbol(status),
      fingerprint,
    ]));
  }
}

/** Reads the authority, its revocation list and the certificates that it has issued. */
async function readAll() {
  const { readAuthority } = await import("../../runtime/pki/certificate_authority.ts");
  const { listIssued, readOwnRevocationList } = await import(
    "../../runtime/pki/certificate_issuing.ts"
  );
  const places = findPlaces();
  const { domain, root, issuing } = await readAuthority(places);
  const { nextUpdate } = await readOwnRevocationList(places);
  const certificates = await listIssued(places);
  return { domain, root, issuing, nextUpdate, certificates };
}

async function describe(
  { notBefore, notAfter, rawData }: X509Certificate,
): Promise<{ notBefore: Date; notAfter: Date; fingerprint: string }> {
  const { fingerprintOf } = await import("../../runtime/server/credentials.ts");
  return { notBefore, notAfter, fingerprint: await fingerprintOf(rawData) };
}

/**
 * Generates the certificate authority of the ensemble, and the certificate of the commands on this
 * host.
 */
function setupCommand(): CommandUnknownOpts {
  return new Command("setup").description("generate the certificate authority of the ensemble")
    .addOption(completing(
      "nothing",
      new Option("--domain <domain>", "the domain of the servers' names: <server-id>.<domain>")
        .default("ensemble.internal", "ensemble.internal").argParser(reading(parseDnsName)),
    ))
    .addOption(
      forceOption("replace an existing authority; then every server needs a new certificate"),
    )
    .addOption(passphraseFileOption())
    .addHelpText(
      "after",
      examples([
        "make an authority; asks for a passphrase for its private keys",
        "gxensemble ca setup --domain ensemble.internal",
      ]),
    )
    .action(async ({ domain, force, ...options }) => {
      const { createAuthority, requireNoAuthority } = await import(
        "../../runtime/pki/certificate_authority.ts"
      );
      const { issueCertificates } = await import("../../runtime/pki/certificate_issuing.ts");
      const { askNewPassphrase } = await import("../kit/prompts.ts");
      const places = findPlaces();
      if (!force) await requireNoAuthority(places);
      const passphrase = await askNewPassphrase(
        "passphrase for the keys of the certificate authority:",
        options,
      );
      const issuing = await createAuthority(places, { domain, passphrase, force });
      printNotice(`the certificate authority of ${domain} is in ${places.authorityDirectory}`);
      printNotice(`no command needs the root's key: keep ${places.authority.rootKey} elsewhere`);
      if (force) printNotice("every server now needs a new certificate, and the new root");
      const [console] = await issueCertificates([checkServerId(CONSOLE_ID)], {
        places,
        issuing,
        capabilities: [],
        hosts: [],
        days: DEFAULT_DAYS,
      });
      const { certificate } = places.serverTls(console!.id);
      printNotice(`the commands on this host have a certificate: ${certificate}`);
    });
}

/** Issues certificates to servers, all or none, and prints them. */
function certCommand(): CommandUnknownOpts {
  return new Command("cert").description("issue certificates to servers, or renew them")
    .addOption(completing(
      { noun: "capability", words: KNOWN_CAPABILITIES, list: true },
      new Option(
        "--capabilities <capabilities>",
        "capabilities of the servers in every other server",
      )
        .default<string[]>([], "none").argParser<string[]>(
          collecting((text) => parseCapabilities(parseSymbols(text))),
        ),
    ))
    .addOption(completing(
      "nothing",
      new Option(
        "--host <host>",
        "names and IP addresses of the servers, besides <server-id>.<domain> and localhost",
      ).default<Host[]>([], "none").argParser<Host[]>(
        collecting((text) => parseSymbols(text).map(parseHost)),
      ),
    ))
    .addOption(completing(
      "nothing",
      new Option("--days <days>", "number of days that the certificates are valid")
        .default(DEFAULT_DAYS, `${DEFAULT_DAYS}`).argParser(reading(parseDays)),
    ))
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addArgument(completing(
      "server list",
      new Argument("<server-id...>", "the server ids").argParser<string[]>(
        collecting((text) => parseNames(text).map(checkServerId)),
      ),
    ))
    .addHelpText(
      "after",
      examples(
        [
          "issue a certificate for a server with a name and an IP address",
          "gxensemble ca cert httpd1 --host web1.example.com --host 10.0.0.7",
        ],
        [
          "issue one for a server that may load code into all others",
          'gxensemble ca cert deployer --capabilities "(loader)"',
        ],
        ["issue several, all or none", "gxensemble ca cert httpd1 httpd2 httpd3"],
        ["issue one for the commands on this host", "gxensemble ca cert console"],
      ),
    )
    .action(async (serverIds, options) => {
      const { readAuthority } = await import("../../runtime/pki/certificate_authority.ts");
      const { issueCertificates } = await import("../../runtime/pki/certificate_issuing.ts");
      const places = findPlaces();
      await readAuthority(places); // Fail before asking for the passphrase if there is no authority.
      const { capabilities, host: hosts, days } = options;
      const issuing = await openIssuing(options);
      const issued = await issueCertificates(serverIds, {
        places,
        issuing,
        capabilities,
        hosts,
        days,
      });
      for (const { id } of issued) {
        const { certificate, key } = places.serverTls(id);
        const whose = issued.length > 1 ? ` of ${id}` : "";
        printNotice(`the certificate${whose} is in ${certificate}`);
        printNotice(`the private key${whose} is in ${key}`);
      }
      printCertificates(issued, options);
    });
}

/** Decrypts the key that issues certificates, and asks for its passphrase. */
async function openIssuing(options: PassphraseOptions) {
  const { openIssuing } = await import("../../runtime/pki/certificate_authority.ts");
  const { askPassphrase } = await import("../kit/prompts.ts");
  return await openIssuing(
    findPlaces(),
    () => askPassphrase("passphrase of the certificate authority:", options),
  );
}

/**
 * Prints when the root, the issuing authority and the revocation list expire, `(root:
 * "2036-01-02T03:04:05.000Z")`, and then every certificate issued.
 */
function showCommand(): CommandUnknownOpts {
  return new Command("show").description("list the certificates that were issued")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(["list certificates with their servers and expiry times", "gxensemble ca show"]),
    )
    .action(async (options) => {
      const { domain, root, issuing, nextUpdate, certificates } = await readAll();
      const ends = { root: root.notAfter, issuing: issuing.notAfter, crl: nextUpdate };
      if (options.json) {
        return printJson({ domain, ...ends, certificates: certificates.map(certificateJson) });
      }
      for (const [name, end] of Object.entries(ends)) {
        printLine(formatNotation([keyword(name), end.toISOString()]));
      }
      printCertificates(certificates, options);
    });
}

/** Revokes and prints every valid certificate of a server. */
function revokeCommand(): CommandUnknownOpts {
  return new Command("revoke").description("revoke the certificates of a server")
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addArgument(completing("certified", serverIdArgument()))
    .addHelpText(
      "after",
      examples([
        "revoke them; then copy tls/crl.pem to every host",
        "gxensemble ca revoke httpd1",
      ]),
    )
    .action(async (serverId, options) => {
      const { listRevocable, revokeCertificates } = await import(
        "../../runtime/pki/certificate_issuing.ts"
      );
      const places = findPlaces();
      if ((await listRevocable(serverId, places)).length === 0) {
        printNotice(`${serverId} has no valid certificate`);
        return printCertificates([], options);
      }
      const issuing = await openIssuing(options);
      const revoked = await revokeCertificates(serverId, { places, issuing });
      printNotice(
        `servers honour it once they have ${places.authority.crl} and have read it again`,
      );
      printCertificates(revoked, options);
    });
}

/** Prints certificates, one per line:
 * `(httpd1 (shutdown) ("httpd1.ensemble.internal") "2027-01-02T03:04:05.000Z" valid "4F...")`.
 */
function printCertificates(certificates: IssuedCertificate[], { json }: OutputOptions): void {
  if (json) return printJson(certificates.map(certificateJson));
  for (const { id, capabilities, hosts, notAfter, status, serial } of certificates) {
    printLine(formatNotation([
      symbol(id),
      capabilities.map(symbol),
      hosts,
      notAfter.toISOString(),
      symbol(status),
      serial,
    ]));
  }
}

function certificateJson(certificate: IssuedCertificate): object {
  const { id, capabilities, hosts, notBefore, notAfter, status, serial, fingerprint } = certificate;
  return { server: id, capabilities, hosts, notBefore, notAfter, status, serial, fingerprint };
}
