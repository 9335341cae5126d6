/**
 * WebAssembly modules, as modules that import and export what they do.
 *
 * @see https://github.com/WebAssembly/esm-integration
 * @module
 */
import { ModuleError } from "../../runtime/code/module_error.ts";

/**
 * The JavaScript of the WebAssembly module in the file at `path`.
 *
 * @throws {ModuleError} when it is none.
 */
export function wasmToJavaScript(bytes: Uint8Array<ArrayBuffer>, path: string): string {
  let module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    throw new ModuleError((error as Error).message, { path }, { cause: error });
  }
  const specifiers = new Set(WebAssembly.Module.imports(module).map(({ module }) => module));
  const imports = [...specifiers].map((specifier, index) => ({
    declaration: `import * as import${index} from ${JSON.stringify(specifier)};`,
    property: `${JSON.stringify(specifier)}: import${index}`,
  }));
  const names = WebAssembly.Module.exports(module).map(({ name }) => JSON.stringify(name));
  return [
    ...imports.map(({ declaration }) => declaration),
    `const bytes = Uint8Array.fromBase64("${bytes.toBase64()}");`,
    "const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {",
    ...imports.map(({ property }) => `  ${property},`),
    "});",
    ...names.map((name, index) =>
      `const export${index} = exports[${name}]; export { export${index} as ${name} };`
    ),
    "",
  ].join("\n");
}
