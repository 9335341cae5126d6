/**
 * `gxensemble repl`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError } from "../../runtime/errors.ts";
import { escapeControls } from "../../runtime/safe_text.ts";
import { examples } from "../kit/help_text.ts";
import {
  type ClientOptions,
  libraryPrefixOption,
  logOption,
  NO_LIMIT,
  passphraseFileOption,
  registryOption,
  serverIdArgument,
  supervisorOption,
  timeoutOption,
} from "../kit/options.ts";
import { printNotice, printText, printValue } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import type { ReplContext } from "../repl/repl.ts";

interface ReplOptions extends ClientOptions, PassphraseOptions {
  /** The prefixes of library modules, which the server resolves itself. */
  libraryPrefix: string[];
}

/** The output of the REPL. */
type Screen = Pick<ReplContext, "print" | "printValue" | "printError">;

/** Evaluates input from a terminal or a pipe in a running server. */
export function replCommand(): CommandUnknownOpts {
  return new Command("repl").description("provides a repl for a running server")
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(timeoutOption(NO_LIMIT))
    .addOption(libraryPrefixOption())
    .addOption(passphraseFileOption())
    .addOption(logOption("warning"))
    .addArgument(serverIdArgument())
    .addHelpText(
      "after",
      examples(
        ["open a REPL; ,help lists its control commands", "gxensemble repl httpd1"],
        [
          "evaluate lines from a pipe",
          "echo 'ensemble.actors.actors().length' | gxensemble repl httpd1",
        ],
      ),
    )
    .action(async (serverId, options) => await repl(serverId, options));
}

async function repl(serverId: string, options: ReplOptions): Promise<void> {
  const { explainLoss, withConsole } = await import("../kit/console.ts");
  const { Administrator } = await import("../kit/administrator.ts");
  const { ImportResolver } = await import("../repl/import_resolver.ts");
  const { RemoteSession } = await import("../repl/remote_session.ts");
  const { Repl, runPiped } = await import("../repl/repl.ts");
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  await withConsole(options, async (actors, console) => {
    const administrator = new Administrator(console, options);
    const elevating: ReplContext["elevating"] = (capability, work) =>
      administrator.elevating(serverId, capability, work);
    const lost = new AbortController();
    let screen: Screen = {
      print: (text) => printText(`${text}\n`),
      printValue,
      printError: printNotice,
    };
    const resolver = await ImportResolver.open(Deno.cwd(), options.libraryPrefix);
    const session = await RemoteSession.open(actors, {
      server: serverId,
      resolver,
      preview: { oneLine: !isTerminal },
      timeout: options.timeout,
      elevating: (work) => elevating("loader", work),
      onOutput: (text) => screen.print(text),
      async onLost(reason = "its session has ended") {
        const loss = new EnsembleError(`lost ${serverId}: ${reason}`);
        lost.abort(await explainLoss(loss, { actors, server: serverId }));
      },
    });
    const evaluator = new Repl({
      actors,
      server: serverId,
      session,
      libraryPrefix: options.libraryPrefix,
      timeout: options.timeout,
      elevating,
      print: (line) => screen.print(escapeControls(line)),
      printValue: (text) => screen.printValue(text),
      printError: (text) => screen.printError(text),
    });
    if (!isTerminal) return await runPiped(evaluator, lost.signal);
    const { History, historyPath } = await import("../repl/editor/history.ts");
    const { complete } = await import("../repl/completion.ts");
    const { Terminal } = await import("../repl/terminal.ts");
    const terminal = new Terminal({
      prompt: `${serverId}> `,
      history: await History.open(historyPath()),
      complete: (text) => complete(text, { session, resolver }),
    });
    administrator.runPrompt = (prompt) => terminal.lend(prompt);
    administrator.asksAgain = true;
    screen = {
      print: (text) => terminal.print(text),
      printValue: (text) => terminal.printValue(text),
      printError: (text) => terminal.print(text),
    };
    await terminal.run(evaluator, lost.signal);
  });
}
