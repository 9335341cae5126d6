/**
 * Changes of a configuration file by programs, which keep its comments and its layout.
 *
 * @module
 */
import {
  applyEdits,
  type Edit,
  findNodeAtLocation,
  type FormattingOptions,
  modify,
  type Node,
  parseTree,
} from "npm:jsonc-parser@^3.3.1";
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

/**
 * Sets a value in the text of a configuration, or removes its field. What is on one line stays on
 * one line.
 */
export function setValue(
  text: string,
  { path, value }: { readonly path: readonly (string | number)[]; readonly value: unknown },
): string {
  const bom = text.startsWith("\ufeff") ? "\ufeff" : "";
  const body = text.slice(bom.length);
  const edits = editOfLine(body, { path, value }) ??
    modify(body, [...path], value, { formattingOptions: formattingOf(body) });
  return bom + applyEdits(body, edits);
}

/** The edit of a value or an object that is on one line; undefined for any other. */
function editOfLine(
  text: string,
  { path, value }: { readonly path: readonly (string | number)[]; readonly value: unknown },
): Edit[] | undefined {
  const root = parseTree(text, [], { allowTrailingComma: true });
  if (!root) return undefined;
  // What is removed belongs to the line of the object that has it.
  let depth = path.length - (value === undefined ? 1 : 0);
  let node: Node | undefined;
  while (depth > 0 && !(node = findNodeAtLocation(root, path.slice(0, depth)))) depth--;
  if (!node || text.slice(node.offset, node.offset + node.length).includes("\n")) return undefined;
  // Without options, what is around the removed field stays as it is.
  if (value === undefined) return modify(text, [...path], undefined, {});
  if (depth === path.length) {
    return [{ offset: node.offset, length: node.length, content: onOneLine(value) }];
  }
  const [name, ...names] = path.slice(depth);
  if (node.type !== "object" || typeof name !== "string") return undefined;
  const nested = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  const last = node.children?.at(-1);
  if (!last) {
    const { offset, length } = node;
    const isEmpty = /^\{\s*\}$/.test(text.slice(offset, offset + length));
    return isEmpty ? [{ offset, length, content: onOneLine({ [name]: nested }) }] : undefined;
  }
  const content = `, ${JSON.stringify(name)}: ${onOneLine(nested)}`;
  return [{ offset: last.offset + last.length, length: 0, content }];
}

/** JSON on one line, with the spaces that people write. */
function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, inner]) =>
    `${JSON.stringify(name)}: ${onOneLine(inner)}`
  );
  return fields.length > 0 ? `{ ${fields.join(", ")} }` : "{}";
}

/** The layout of a text. */
function formattingOf(text: string): FormattingOptions {
  const [, indent = "  "] = /\n([ \t]+)\S/.exec(text) ?? [];
  return {
    insertSpaces: !indent.startsWith("\t"),
    tabSize: indent.startsWith("\t") ? 1 : indent.length,
    eol: text.includes("\r\n") ? "\r\n" : "\n",
  };
}

function serversIn(text: string): string[] {
  const root = parseTree(text.replace(/^\ufeff/, ""), [], { allowTrailingComma: true });
  const servers = root && findNodeAtLocation(root, ["servers"]);
  return (servers?.children ?? []).map(({ children }) => String(children?.[0]?.value));
}
