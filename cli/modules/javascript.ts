/**
 * Compiles files to JavaScript: TypeScript, JSX, and data files as modules that export the data.
 *
 * @see https://github.com/WebAssembly/esm-integration
 *
 * @module
 */
import { extname } from "node:path";
import type { CompilerOptions as TypeScriptOptions } from "npm:typescript@^6.0.3";
import {
  inEngineLines,
  lineStarts,
  ModuleError,
  ownMappings,
  positionAt,
} from "../../runtime/code/source_map.ts";
import { type CompilerOptions, parseJson } from "./project.ts";
import { parseModule, type Syntax, TOO_DEEP, usesImports } from "./syntax.ts";

/** A module's JavaScript, ready for a server. */
export interface JavaScript {
  text: string;
  /** The encoded source map to the author's file; absent for data. */
  mappings?: string;
}

/** The result of {@linkcode toJavaScript}. */
export interface CompiledModule extends JavaScript {
  /** The syntax of the text, if it had to be parsed. */
  syntax?: Syntax;
}

/** Options of {@linkcode toJavaScript}. */
export interface JavaScriptOptions {
  /** The project's compiler options. */
  compilerOptions: CompilerOptions;
  /** The module id. */
  module: string;
}

/** An error of swc: a plain object, not an Error. Lines count from 1, columns from 0. */
interface Diagnostic {
  code: string;
  message: string;
  startLine?: number;
  startColumn?: number;
  endLine?: number;
  endColumn?: number;
}

/**
 * Compiles a module's `source` to JavaScript as Deno does: without types, and without imports that
 * are only used as types.
 *
 * @throws {ModuleError} if the source does not parse, or a file like `path` is not supported.
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
      return asWritten(source);
    case ".ts":
    case ".mts":
    case ".cts": {
      const { verbatimModuleSyntax = false } = options.compilerOptions;
      let javascript: CompiledModule & { syntax: Syntax };
      try {
        javascript = await withoutTypes(source, path, verbatimModuleSyntax);
      } catch (error) {
        if (!isOverflow(error)) throw error;
        // This parser needs no stack for long chains of operators.
        return await compile(source, path, { ...options, decorators: false });
      }
      return isDecorator(javascript.text, javascript.syntax)
        ? await compile(source, path, { ...options, decorators: true })
        : javascript;
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
 * Compiles an input of the REPL to JavaScript. Types become white space, so lines and columns stay
 * the same. Imports are kept for later inputs.
 *
 * @throws {ModuleError} if the source does not parse, or is nested too deep.
 */
export async function inputToJavaScript(source: string, path: string): Promise<JavaScript> {
  // After a stack overflow, swc has less stack for everything that follows. So it never gets
  // anything that is nested too deep.
  await parseModule(source, path);
  let javascript: JavaScript;
  try {
    const text = await strip(source);
    javascript = text === undefined ? await transform(source, path, true) : asWritten(text);
  } catch (error) {
    if (!isOverflow(error)) throw error;
    throw new ModuleError(TOO_DEEP, { path }, { cause: error });
  }
  if (!MAY_DECORATE.test(javascript.text)) return javascript;
  const syntax = await parseModule(javascript.text, path);
  if (!isDecorator(javascript.text, syntax)) return javascript;
  const { line, column } = positionAt(lineStarts(javascript.text), syntax.fault!);
  throw new ModuleError("decorators are not supported in an input", { path, line, column });
}

/**
 * Compiles TypeScript. If it can, it leaves white space in place of the types: that takes half the
 * time, and lines and columns stay the same.
 */
async function withoutTypes(
  source: string,
  path: string,
  verbatimModuleSyntax: boolean,
): Promise<CompiledModule & { syntax: Syntax }> {
  const text = await strip(source);
  if (text !== undefined) {
    const syntax = await parseModule(text, path);
    const { program } = syntax;
    if (program && (verbatimModuleSyntax || usesImports(program, text))) {
      return { ...asWritten(text), syntax };
    }
  }
  const javascript = await transform(source, path, verbatimModuleSyntax);
  return { ...javascript, syntax: await parseModule(javascript.text, path) };
}

/**
 * Replaces types by white space. Undefined if it cannot: the source has syntax that is more than
 * types, such as an enum, or an error, which {@linkcode transform} reports.
 */
async function strip(source: string): Promise<string | undefined> {
  const swc = await loadSwc();
  try {
    return swc.transformSync(source, { mode: "strip-only" }).code;
  } catch (diagnostic) {
    if (isOverflow(diagnostic)) throw diagnostic;
    return undefined;
  }
}

/** Compiles TypeScript, with the compiler that Deno itself uses. */
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
    const texts = { generated: code, original: source };
    return {
      text: code,
      mappings: inEngineLines(JSON.parse(map!).mappings, texts, SWC_TERMINATOR),
    };
  } catch (diagnostic) {
    fail(diagnostic, { path, source });
  }
}

/** The line terminators of swc, which does not count U+2028 and U+2029. */
const SWC_TERMINATOR = /\r\n?|\n/g;

async function loadSwc() {
  // It is CommonJS, and a bundle has only its default export.
  return (await import("npm:@swc/wasm-typescript@^1.16.2")).default;
}

/** Compiles what swc's smaller build leaves unchanged: JSX and decorators. */
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
    // swc supports standard decorators only in its newest version, and V8 not at all.
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
      // React's development mode quotes part of the text. In JavaScript it would keep all imports.
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
    mappings: JSON.parse(output.sourceMapText!).mappings,
  };
}

/**
 * TypeScript's names for Deno's JSX options. "precompile" becomes "react-jsx", which the same
 * runtimes accept.
 */
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

/** The comment with which a file sets its own JSX import source. */
const IMPORT_SOURCE = /\/\*[\s*]*@jsxImportSource[ \t]+(\S+)/;

/** Matches every text that contains decorators. */
const MAY_DECORATE = /@[\w$([]/;

/** Whether the syntax error of a text is a decorator, which V8 does not support. */
function isDecorator(text: string, { fault }: Syntax): boolean {
  return fault !== undefined && text[fault] === "@";
}

/** A text that is shipped unchanged. */
function asWritten(text: string): JavaScript {
  return { text, mappings: ownMappings(text) };
}

/** Whether swc ran out of stack. After the first time it has less, and reports it differently. */
function isOverflow(error: unknown): boolean {
  return error instanceof RangeError || error instanceof WebAssembly.RuntimeError;
}

function fail(
  diagnostic: unknown,
  { path, source }: { path: string; source: string },
): never {
  if (isOverflow(diagnostic)) throw diagnostic;
  const { message, startLine: line, startColumn: column = 0 } = diagnostic as Diagnostic;
  const place = line === undefined ? undefined : positionAt(
    lineStarts(source),
    (lineStarts(source, SWC_TERMINATOR)[line - 1] ?? source.length) + column,
  );
  throw new ModuleError(message, { path, ...place }, { cause: diagnostic });
}

/** The data types that a file may be imported as. */
export type DataType = "json" | "text" | "bytes";

const DATA_TYPES: ReadonlySet<string> = new Set<DataType>(["json", "text", "bytes"]);

/** The data type in import attributes; undefined for any other attributes. */
export function dataType(attributes: Record<string, string>): DataType | undefined {
  const { type, ...others } = attributes;
  if (type === undefined || !DATA_TYPES.has(type) || Object.keys(others).length > 0) {
    return undefined;
  }
  return type as DataType;
}

/**
 * A JavaScript module whose default export is the data in the file at `path`.
 *
 * @throws {ModuleError} if it is imported as JSON and is not valid JSON.
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
  // As a string, since an object literal treats the key "__proto__" differently.
  return `export default JSON.parse(${JSON.stringify(text)});\n`;
}

/**
 * A JavaScript module for the WebAssembly module in the file at `path`.
 *
 * @throws {ModuleError} if it is not WebAssembly.
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
