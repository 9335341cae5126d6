import assert from "node:assert/strict";
import { FileWatch } from "../../../cli/dev/file_watch.ts";
import { TemporaryProject } from "../modules/temporary_project.ts";

/** Watches files of a project, and waits for changes. */
class Watching implements Disposable {
  readonly #watch: FileWatch;
  readonly #project: TemporaryProject;
  #count = 0;
  #news = Promise.withResolvers<void>();

  constructor(project: TemporaryProject, files: string[]) {
    this.#project = project;
    this.#watch = new FileWatch(() => {
      this.#count++;
      this.#news.resolve();
    }, (error) => this.#news.reject(error));
    this.follow(files);
  }

  get count(): number {
    return this.#count;
  }

  follow(files: string[]): void {
    this.#watch.watch(files.map((path) => this.#project.path(path)));
  }

  /** Waits for a change that comes after the last one. */
  async changed(): Promise<void> {
    await this.#news.promise;
    this.#news = Promise.withResolvers<void>();
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

Deno.test("FileWatch reports a file that an editor replaces", async () => {
  await using project = await TemporaryProject.make({ "a.ts": "1" });
  using watching = new Watching(project, ["a.ts"]);
  await project.write("a.ts~", "2");
  await Deno.rename(project.path("a.ts~"), project.path("a.ts"));
  await watching.changed();
});

Deno.test("FileWatch reports many files as one change", async () => {
  const files = Array.from({ length: 200 }, (_, index) => `${index}.ts`);
  await using project = await TemporaryProject.make(
    Object.fromEntries(files.map((name) => [name, "1"])),
  );
  using watching = new Watching(project, files);
  for (const name of files) Deno.writeTextFileSync(project.path(name), "2");
  await watching.changed();
  assert.equal(watching.count, 1);
});

Deno.test("FileWatch reports a file in a directory that did not exist", async () => {
  await using project = await TemporaryProject.make({ "a.ts": "1" });
  using watching = new Watching(project, ["a.ts", "lib/deep/b.ts"]);
  await project.write("lib/deep/b.ts", "1");
  await watching.changed();
});

Deno.test("FileWatch reports changes in a directory that was removed and made anew", async () => {
  await using project = await TemporaryProject.make({ "a.ts": "1", "lib/b.ts": "1" });
  const files = ["a.ts", "lib/b.ts"];
  using watching = new Watching(project, files);
  await Deno.remove(project.path("lib"), { recursive: true });
  await watching.changed();
  watching.follow(files);
  await project.write("lib/b.ts", "1");
  await watching.changed();
  watching.follow(files);
  await project.write("lib/b.ts", "three");
  await watching.changed();
});

Deno.test("FileWatch reports a file behind a link, and a link that leads elsewhere", async () => {
  await using project = await TemporaryProject.make({
    "one/a.ts": "1",
    "two/a.ts": "22",
    "app/main.ts": "",
  });
  await Deno.symlink(project.path("one"), project.path("current"));
  using watching = new Watching(project, ["app/main.ts", "current/a.ts"]);
  await project.write("one/a.ts", "11");
  await watching.changed();
  watching.follow(["app/main.ts", "current/a.ts"]);
  await Deno.symlink(project.path("two"), project.path("next"));
  await Deno.rename(project.path("next"), project.path("current"));
  await watching.changed();
});

Deno.test("FileWatch follows a file that is added", async () => {
  await using project = await TemporaryProject.make({ "a.ts": "1" });
  using watching = new Watching(project, ["a.ts"]);
  await project.write("b.ts", "2");
  // A new module beside the others may be what an import lacks.
  await watching.changed();
  watching.follow(["a.ts", "b.ts"]);
  await project.write("b.ts", "333");
  await watching.changed();
});
