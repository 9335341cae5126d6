/**
 * Files to JavaScript: TypeScript and JSX, and what is no code, as modules that export it.
 *
 * @see https://github.com/WebAssembly/esm-integration
 *
 * @module
 */
import { decode } from "npm:@jridgewell/sourcemap-codec@^1.6.0";
import { extname } from "node:path";
import type { CompilerOptions as TypeScriptOptions } from "npm:typescript@^6.0.3";
import {
  editText,
  lineStarts,
  type Mappings,
  mappingsOf,
  ModuleError,
  positionAt,
} from "../../runtime/code/source_map.ts";
import { type CompilerOptions, parseJson } from "./project.ts";
import { parseModule, type Syntax, TOO_DEEP } from "./syntax.ts";

/** A module's text as a server can run it. */
export interface JavaScript {
  text: string;
  /** Where its author wrote what is in it; absent for data. */
  mappings?: Mappings;
}

/** What {@linkcode toJavaScript} gives. */
export interface CompiledModule extends JavaScript {
  /** The syntax of the text, where that had to be known. */
  syntax?: Syntax;
}

/** Options of {@linkcode toJavaScript}. */
export interface JavaScriptOptions {
  /** What the project says of how modules are compiled. */
  compilerOptions: CompilerOptions;
  /** The module id. */
  module: string;
}

/** What swc throws: a plain object, not an error. Lines count from 1, columns from 0. */
interface Diagnostic {
  code: string;
  message: string;
  startLine?: number;
  startColumn?: number;
  endLine?: number;
  endColumn?: number;
}

/**
 * The JavaScript of a module's `source`, as Deno would make it: without types, and without the imports of
 * which only types are used.
 *
 * @throws {ModuleError} when the source does not parse, or when `path` is of a kind that is not supported.
 */
export async function toJavaScript(
  source: string,
  path: string,
  options: JavaScriptOptions,
): Promise<CompiledModule> {
  switch (extname(path)) {
    case ".js":
    case ".mjs":
    case ".cjs":
      return await asWritten(source);
    case ".ts":
    case ".mts":
    case ".cts": {
      const { verbatimModuleSyntax = false } = options.compilerOptions;
      let javascript: JavaScript;
      try {
        javascript = await transform(source, path, verbatimModuleSyntax);
      } catch (error) {
        if (!isOverflow(error)) throw error;
        // Long chains of operators take no stack there.
        return await compile(source, path, { ...options, decorators: false });
      }
      const syntax = await parseModule(javascript.text, path);
      return isDecorator(javascript.text, syntax)
        ? await compile(source, path, { ...options, decorators: true })
        : { ...javascript, syntax };
    }
    case ".tsx":
    case ".jsx":
      return await compile(source, path, { ...options, decorators: MAY_DECORATE.test(source) });
    default:
      throw new ModuleError(
        "is not a module that can be shipped: its name must end in .ts, .mts, .tsx, .js, .mjs, .jsx, " +
          '.cjs, .cts or .wasm, or it must be imported as data: with { type: "json" }, "text" or "bytes"',
        { path },
      );
  }
}

/**
 * The JavaScript of an input of the REPL. Types become white space, so lines and columns stay; imports
 * stay too, for what is typed later.
 *
 * @throws {ModuleError} when the source does not parse, or is nested too deep.
 */
export async function inputToJavaScript(source: string, path: string): Promise<JavaScript> {
  // Once swc has run out of stack, it has less of it for all that follows: it gets nothing that is nested too deep.
  await parseModule(source, path);
  let javascript: JavaScript;
  try {
    javascript = await strip(source, path);
  } catch (error) {
    if (!isOverflow(error)) throw error;
    throw new ModuleError(TOO_DEEP, { path }, { cause: error });
  }
  if (!MAY_DECORATE.test(javascript.text)) return javascript;
  const syntax = await parseModule(javascript.text, path);
  if (!isDecorator(javascript.text, syntax)) return javascript;
  const { line, column } = positionAt(lineStarts(javascript.text), syntax.fault!);
  const message = "decorators are not supported in an input";
  fail({ code: "UnsupportedSyntax", message, startLine: line, startColumn: column - 1 }, path);
}

async function strip(source: string, path: string): Promise<JavaScript> {
  const swc = await loadSwc();
  try {
    const { code } = swc.transformSync(source, { mode: "strip-only" });
    return await asWritten(code);
  } catch (diagnostic) {
    if ((diagnostic as Diagnostic).code !== "UnsupportedSyntax") fail(diagnostic, path);
  }
  return await transform(source, path, true);
}

/** What takes types off: the compiler that Deno itself is built on. */
async function transform(
  source: string,
  path: string,
  verbatimModuleSyntax: boolean,
): Promise<JavaScript> {
  const swc = await loadSwc();
  try {
    const { code, map } = swc.transformSync(source, {
      mode: "transform",
      sourceMap: true,
      transform: { verbatimModuleSyntax },
    });
    return { text: code, mappings: decode(JSON.parse(map!).mappings) };
  } catch (diagnostic) {
    fail(diagnostic, path);
  }
}

async function loadSwc() {
  // It is CommonJS, of which a bundle has only the default.
  return (await import("npm:@swc/wasm-typescript@^1.16.2")).default;
}

/** What swc without its larger parts leaves as it is: JSX and decorators. */
async function compile(
  source: string,
  path: string,
  { compilerOptions, module, decorators }: JavaScriptOptions & { decorators: boolean },
): Promise<JavaScript> {
  const { default: ts } = await import("npm:typescript@^6.0.3");
  const [, jsxImportSource = compilerOptions.jsxImportSource] = IMPORT_SOURCE.exec(source) ?? [];
  const jsx = jsxEmit(IMPORT_SOURCE.test(source) ? "react-jsx" : compilerOptions.jsx, ts.JsxEmit);
  const options: TypeScriptOptions = {
    module: ts.ModuleKind.ESNext,
    // Of standard decorators the next version of ECMAScript has all, and V8 nothing.
    target: decorators ? ts.ScriptTarget.ES2022 : ts.ScriptTarget.ESNext,
    sourceMap: true,
    isolatedModules: true,
    experimentalDecorators: compilerOptions.experimentalDecorators ?? false,
    emitDecoratorMetadata: compilerOptions.emitDecoratorMetadata ?? false,
    verbatimModuleSyntax: compilerOptions.verbatimModuleSyntax ?? false,
    jsx,
    ...jsx === ts.JsxEmit.React
      ? {
        jsxFactory: compilerOptions.jsxFactory ?? "React.createElement",
        jsxFragmentFactory: compilerOptions.jsxFragmentFactory ?? "React.Fragment",
      }
      : { jsxImportSource: jsxImportSource ?? "react" },
  };
  let output;
  try {
    output = ts.transpileModule(source, {
      compilerOptions: options,
      // A part of the text, in React's development mode. Of JavaScript it would keep all imports.
      fileName: module.replace(/\.jsx$/, ".tsx"),
      reportDiagnostics: true,
    });
  } catch (error) {
    if (error instanceof RangeError) throw new ModuleError(TOO_DEEP, { path }, { cause: error });
    throw error;
  }
  const [diagnostic] = output.diagnostics ?? [];
  if (diagnostic) {
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
    const place = positionAt(lineStarts(source), diagnostic.start ?? 0);
    throw new ModuleError(message, { path, ...place });
  }
  return {
    text: output.outputText.replace(/\/\/# sourceMappingURL=.*\n?$/, ""),
    mappings: decode(JSON.parse(output.sourceMapText!).mappings),
  };
}

/** How TypeScript names what Deno does; it precompiles nothing, and the runtimes that do take either. */
function jsxEmit<Emit>(
  jsx: string | undefined,
  { React, ReactJSX, ReactJSXDev }: { React: Emit; ReactJSX: Emit; ReactJSXDev: Emit },
): Emit {
  switch (jsx) {
    case "react-jsx":
    case "precompile":
      return ReactJSX;
    case "react-jsxdev":
      return ReactJSXDev;
    default:
      return React;
  }
}

/** The comment by which one file says where its JSX comes from. */
const IMPORT_SOURCE = /\/\*[\s*]*@jsxImportSource[ \t]+(\S+)/;

/** What stands in every text with decorators. */
const MAY_DECORATE = /@[\w$([]/;

/** Whether what is wrong with a text is that it has decorators, which V8 does not take. */
function isDecorator(text: string, { fault }: Syntax): boolean {
  return fault !== undefined && text[fault] === "@";
}

/** A text that stands as its author wrote it. */
async function asWritten(text: string): Promise<JavaScript> {
  return { text, mappings: await mappingsOf(await editText(text)) };
}

/** Whether swc had too little stack; from then on it has less, and says so in another way. */
function isOverflow(error: unknown): boolean {
  return error instanceof RangeError || error instanceof WebAssembly.RuntimeError;
}

function fail(diagnostic: unknown, path: string): never {
  if (isOverflow(diagnostic)) throw diagnostic;
  const { message, startLine: line, startColumn } = diagnostic as Diagnostic;
  const location = line === undefined ? { path } : { path, line, column: (startColumn ?? 0) + 1 };
  throw new ModuleError(message, location, { cause: diagnostic });
}

/** What a file of data may be imported as. */
export type DataType = "json" | "text" | "bytes";

const DATA_TYPES: ReadonlySet<string> = new Set<DataType>(["json", "text", "bytes"]);

/** The type of data that import attributes ask for, or undefined when they ask for anything else. */
export function dataType(attributes: Record<string, string>): DataType | undefined {
  const { type, ...others } = attributes;
  if (type === undefined || !DATA_TYPES.has(type) || Object.keys(others).length > 0) {
    return undefined;
  }
  return type as DataType;
}

/**
 * The JavaScript of a module whose default export is what is in the file at `path`.
 *
 * @throws {ModuleError} when it is to be JSON and is not.
 */
export async function dataToJavaScript(
  bytes: Uint8Array,
  type: DataType,
  path: string,
): Promise<string> {
  if (type === "bytes") return `export default Uint8Array.fromBase64("${bytes.toBase64()}");\n`;
  const text = new TextDecoder().decode(bytes);
  if (type === "text") return `export default ${JSON.stringify(text)};\n`;
  await parseJson(text, path);
  // As a string: what a literal means differs, for the key "__proto__".
  return `export default JSON.parse(${JSON.stringify(text)});\n`;
}

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
