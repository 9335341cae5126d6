/**
 * `gxensemble compile`.
 *
 * @module
 */
import { basename } from "node:path";
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { TARGETS } from "../kit/build.ts";
import { collecting, completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { jsonOption, moduleIdArgument } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** Makes an executable of a server's program. */
export function compileCommand(): CommandUnknownOpts {
  return new Command("compile").description("compiles a server's program into one executable")
    .addOption(completing(
      "files",
      new Option(
        "-o, --output <file>",
        "the executable to write; by default it is named after the module, in this directory",
      ),
    ))
    .addOption(completing(
      "files",
      new Option(
        "--include <path>",
        "file or directory that the program reads at run time; it has to be below the module's directory; may be repeated",
      ).default<string[]>([], "none").argParser<string[]>(collecting((path) => [path])),
    ))
    .addOption(
      new Option(
        "--target <platform>",
        `the platform to compile for, by default this one: ${TARGETS.join(", ")}`,
      ).choices(TARGETS),
    )
    .addOption(
      new Option(
        "--portable",
        "makes a portable executable: it contains Deno, unpacks itself at its first start, and needs no download to make",
      ).default(false),
    )
    .addOption(jsonOption())
    .addArgument(moduleIdArgument())
    .addHelpText(
      "after",
      examples(
        [
          "make one file to copy to hosts that have neither Deno nor the sources",
          "gxensemble compile -o httpd examples/httpd/httpd_svc.ts",
          'scp httpd web1: && ssh web1 ./httpd --roles "(httpd)" httpd1 8080',
        ],
        [
          "include files that the program reads",
          "gxensemble compile --include site/pages site/main.ts",
        ],
      ),
    )
    .action(async (moduleId, { include, target, portable, json, ...options }) => {
      const { makeExecutable } = await import("../executables/executable.ts");
      const { path, form, size, sha256 } = await makeExecutable({
        entry: moduleId,
        output: options.output ?? basename(moduleId).replace(/\.[^.]*$/, ""),
        include,
        portable,
        ...target && { target },
        onNotice: (message) => printNotice(`gxensemble: ${message}`),
      });
      if (json) return printJson({ path, form, size, sha256 });
      printLine(`... compiled ${path} (${form}, ${size} bytes)`);
      printLine(sha256);
    });
}
