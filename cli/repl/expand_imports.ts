/**
 * The expansion of import declarations: the server binds what they name.
 *
 * @module
 */
import type { ImportDeclaration as ImportNode, Literal } from "npm:acorn@^8.19.0";
import type MagicString from "npm:magic-string@^1.4.5";
import type { ImportBinding, ImportDeclaration } from "../../runtime/code/expansion.ts";
import type { ResolveImport } from "./import_resolver.ts";
import type { ParsedInput } from "./parsed_input.ts";

/** Takes the import declarations out of the code, and gives them in order. */
export async function expandImports(
  code: MagicString,
  { program }: ParsedInput,
  resolve: ResolveImport,
): Promise<ImportDeclaration[]> {
  const declarations: ImportDeclaration[] = [];
  for (const node of program.body) {
    if (node.type !== "ImportDeclaration") continue;
    code.remove(node.start, node.end);
    const target = await resolve(node.source.value as string, attributesOf(node));
    declarations.push({ target, bindings: node.specifiers.map(bindingOf) });
  }
  return declarations;
}

function bindingOf(specifier: ImportNode["specifiers"][number]): ImportBinding {
  const { name } = specifier.local;
  switch (specifier.type) {
    case "ImportDefaultSpecifier":
      return { name, imported: "default" };
    case "ImportNamespaceSpecifier":
      return { name, imported: "*" };
    case "ImportSpecifier":
      return { name, imported: nameOf(specifier.imported) };
  }
}

function attributesOf({ attributes }: ImportNode): Record<string, string> | undefined {
  if (attributes.length === 0) return undefined;
  return Object.fromEntries(attributes.map(({ key, value }) => [nameOf(key), String(value.value)]));
}

/** A name that may be written as a string. */
function nameOf(node: { type: "Identifier"; name: string } | Literal): string {
  return node.type === "Identifier" ? node.name : String(node.value);
}
