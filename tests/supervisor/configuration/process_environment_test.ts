import assert from "node:assert/strict";
import {
  processEnvironment,
  readVariableFile,
} from "../../../supervisor/configuration/process_environment.ts";
import { ConfigurationDirectory } from "./configuration_directory.ts";

Deno.test("processEnvironment reads files of variables and secrets, and own variables replace them", async () => {
  using directory = new ConfigurationDirectory();
  const { path } = directory;
  Deno.writeTextFileSync(`${path}/more`, 'REGION=us\nA="1 = 1"\r\nB= plain \nC=\'it\n', {
    mode: 0o644,
  });
  assert.deepEqual(
    await processEnvironment({
      envFiles: [`${path}/vars`, `${path}/more`],
      env: { A: "own", KEY: { file: `${path}/secret.txt` } },
    }),
    {
      REGION: "us",
      QUOTED: "a b",
      EMPTY: "",
      A: "own",
      B: "plain",
      C: "'it",
      KEY: "s3cret",
    },
  );
});

Deno.test("processEnvironment refuses secrets that others can read, and files that are missing", async () => {
  using directory = new ConfigurationDirectory();
  const { path } = directory;
  const secret = (file: string) =>
    processEnvironment({ envFiles: [], env: { KEY: { file: `${path}/${file}` } } });
  await assert.rejects(secret("open.txt"), { message: /can read the secret of KEY .*chmod 600/ });
  await assert.rejects(secret("gone"), { message: `there is no file ${path}/gone` });
  await assert.rejects(processEnvironment({ envFiles: [`${path}/gone`], env: {} }), {
    message: `there is no file ${path}/gone`,
  });
});

Deno.test("readVariableFile names a wrong line without its content", async () => {
  using directory = new ConfigurationDirectory();
  const file = `${directory.path}/wrong`;
  for (const line of ["PASSWORD: hunter2", "1A=hunter2", "=hunter2", "A=hun\0ter2"]) {
    Deno.writeTextFileSync(file, `# first\n${line}\n`, { mode: 0o644 });
    await assert.rejects(readVariableFile(file), {
      message: `${file}:2: a line has the form NAME=value`,
    }, line);
  }
  Deno.writeTextFileSync(file, "A=1\n");
  Deno.chmodSync(file, 0o666);
  await assert.rejects(readVariableFile(file), { message: /^other users can change .*chmod o-w/ });
});
