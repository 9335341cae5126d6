/**
 * Changes of a configuration file by programs, which keep its comments and its layout.
 *
 * @module
 */
import { applyEdits, findNodeAtLocation, modify, parseTree } from "npm:jsonc-parser@^3.3.1";
import { InvalidInputError } from "../../runtime/errors.ts";
import { didYouMean, nearest } from "../../runtime/near_names.ts";

/** A change of one field. */
export interface FieldChange {
  /** The field: `restart.backoff.min`. */
  readonly field: string;
  /** Its new value, as it stands in the file; undefined to remove the field. */
  readonly value: unknown;
}

/**
 * Changes own fields of a server in the text of a configuration. What the text means then is not
 * checked.
 *
 * @throws {InvalidInputError} if the server has no place in the field `servers`.
 */
export function changeServer(
  text: string,
  { id, changes }: { readonly id: string; readonly changes: readonly FieldChange[] },
): string {
  const names = serversIn(text);
  if (!names.includes(id)) {
    const suggestion = didYouMean(nearest(id, names));
    throw new InvalidInputError(
      `${id} is not in the field servers of the file${suggestion}; one of a group of workers is ` +
        "changed with its group, in the file",
    );
  }
  return changes.reduce((text, { field, value }) => {
    const path = field.split(".");
    if (path.includes("")) throw new InvalidInputError(`not a field: ${JSON.stringify(field)}`);
    return setValue(text, { path: ["servers", id, ...path], value });
  }, text);
}

/** Sets a value in the text of a configuration, or removes its field. */
export function setValue(
  text: string,
  { path, value }: { readonly path: readonly (string | number)[]; readonly value: unknown },
): string {
  const bom = text.startsWith("\ufeff") ? "\ufeff" : "";
  const body = text.slice(bom.length);
  const [, indent = "  "] = /\n([ \t]+)\S/.exec(body) ?? [];
  const formattingOptions = {
    insertSpaces: !indent.startsWith("\t"),
    tabSize: indent.startsWith("\t") ? 1 : indent.length,
    eol: body.includes("\r\n") ? "\r\n" : "\n",
  };
  return bom + applyEdits(body, modify(body, [...path], value, { formattingOptions }));
}

function serversIn(text: string): string[] {
  const root = parseTree(text.replace(/^\ufeff/, ""), [], { allowTrailingComma: true });
  const servers = root && findNodeAtLocation(root, ["servers"]);
  return (servers?.children ?? []).map(({ children }) => String(children?.[0]?.value));
}
