/**
 * `gxensemble doctor`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError } from "../../runtime/errors.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  addResultOptions,
  type ClientOptions,
  type OutputOptions,
  registryOption,
  timeoutOption,
} from "../kit/options.ts";
import { printJson, printNotice, printStyled, type Style } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import type { Finding, Severity } from "../doctor/finding.ts";

interface DoctorOptions extends ClientOptions, OutputOptions, PassphraseOptions {
  bundle?: string | undefined;
}

/** Checks this host and the ensemble, and says what to do. */
export function doctorCommand(): CommandUnknownOpts {
  return addResultOptions(
    new Command("doctor")
      .description(
        "checks this host and the servers of the ensemble, and says what is wrong and what to do",
      )
      .addOption(
        completing(
          "files",
          new Option(
            "--bundle <file>",
            "also writes an archive for a bug report, a .tar.gz without secrets",
          ),
        ),
      )
      .addOption(registryOption())
      .addOption(timeoutOption()),
  )
    .addHelpText(
      "after",
      examples(
        ["check this host and the ensemble", "gxensemble doctor"],
        ["list what is wrong, for a program", "gxensemble doctor --json | jq '.[].message'"],
        ["write what helps to find a fault", "gxensemble doctor --bundle report.tar.gz"],
      ),
    )
    .action(examine);
}

async function examine(options: DoctorOptions): Promise<void> {
  const { findPlaces } = await import("../../runtime/home/paths.ts");
  const { checkHost } = await import("../doctor/host_checks.ts");
  const places = findPlaces();
  const findings = await checkHost(places);
  if (!options.json) findings.forEach(print);
  const { ensemble, reports, logs } = await examineEnsemble(options, (finding) => {
    if (!options.json) print(finding);
  });
  findings.push(...ensemble);
  if (options.json) printJson(findings);
  if (options.bundle !== undefined) {
    const { writeBugReport } = await import("../doctor/bug_report.ts");
    await writeBugReport(options.bundle, { places, findings, reports, logs });
    printNotice(
      `... wrote ${options.bundle}: it has no secrets, but names of servers, hosts and users, and addresses`,
    );
  }
  const { formatCounted } = await import("../kit/quantities.ts");
  const count = (severity: Severity) =>
    findings.filter((finding) => finding.severity === severity).length;
  const failures = count("failure");
  const counts = `${formatCounted(count("ok"), "check")} passed, ` +
    `${formatCounted(count("warning"), "warning")}, ${formatCounted(failures, "failure")}`;
  if (failures > 0) throw new EnsembleError(counts);
  printNotice(`... ${counts}`);
}

/** Examines the ensemble through a console. Without one, that is the finding. */
async function examineEnsemble(options: DoctorOptions, onFinding: (finding: Finding) => void) {
  const { withConsole } = await import("../kit/console.ts");
  const { Administrator } = await import("../kit/administrator.ts");
  const { Observers } = await import("../kit/observers.ts");
  const { findReporters, readReports } = await import("../kit/server_reports.ts");
  const { checkRegistry, checkSockets, judgeServers } = await import(
    "../doctor/ensemble_checks.ts"
  );
  const { readOwnLogs } = await import("../doctor/bug_report.ts");
  const { failure } = await import("../doctor/finding.ts");
  const ensemble: Finding[] = [];
  const add = (finding: Finding) => {
    ensemble.push(finding);
    onFinding(finding);
  };
  try {
    return await withConsole(options, async (actors, console) => {
      const registry = await checkRegistry(actors);
      add(registry);
      if (registry.severity === "failure") return { ensemble, reports: [], logs: new Map() };
      const administrator = new Administrator(console, options);
      const observers = new Observers({ actors, administrator });
      const reporters = await findReporters(actors, { set: undefined });
      const reports = await readReports(reporters, { actors, observers });
      judgeServers(reports).forEach(add);
      (await checkSockets(reports)).forEach(add);
      const logs = options.bundle === undefined ? new Map() : await readOwnLogs(reports, observers);
      return { ensemble, reports, logs };
    });
  } catch (error) {
    if (!(error instanceof EnsembleError)) throw error;
    add(failure("ensemble", error.message));
    return { ensemble, reports: [], logs: new Map() };
  }
}

/** How the severities are shown: a word of seven characters, and its colour. */
const SHOWN: Readonly<Record<Severity, readonly [word: string, style: Style]>> = {
  ok: ["ok     ", [32, 39]],
  skipped: ["skipped", [2, 22]],
  warning: ["warning", [33, 39]],
  failure: ["FAILURE", [31, 39]],
};

function print({ severity, check, message, remedy }: Finding): void {
  printStyled([SHOWN[severity], `  ${check}: ${message}`]);
  if (remedy !== undefined) printStyled([`         ${remedy}`]);
}
