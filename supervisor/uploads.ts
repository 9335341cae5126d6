/**
 * Uploads, for the actor `supervisor`: who stores which file.
 *
 * @module
 */
import type { HandlerContext } from "../runtime/actor/handler_context.ts";
import type { HandlersOf } from "../runtime/actor/service.ts";
import { EnsembleError } from "../runtime/errors.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { type Session, sessionOf } from "../runtime/server/capabilities.ts";
import type { HostPermissions } from "./host_permissions.ts";
import type {
  BegunUpload,
  UploadedFile,
  UploadHandlers,
  UploadRequest,
} from "./uploads_protocol.ts";
import { PartialFile, type UploadStore } from "./upload_store.ts";

/** The largest number of uploads at the same time. */
const MAX_UPLOADS = 16;

/** An upload, and whose it is. */
interface Upload {
  readonly file: PartialFile;
  /** The connection of the sender; undefined for an actor of this server. */
  readonly session: Session | undefined;
}

/** The uploads that go on. They end with their connection; what came is kept for the next. */
class Uploads {
  readonly #server: ActorServer;
  readonly #store: UploadStore;
  readonly #permissions: HostPermissions;
  readonly #uploads = new Map<number, Upload>();
  #last = 0;

  constructor(
    server: ActorServer,
    { store, permissions }: { store: UploadStore; permissions: HostPermissions },
  ) {
    this.#server = server;
    this.#store = store;
    this.#permissions = permissions;
    server.onDisconnected((session) => void this.#endAll((upload) => upload.session === session));
    server.hold({ [Symbol.asyncDispose]: () => this.#endAll(() => true) });
  }

  async begin(
    request: UploadRequest,
    context: HandlerContext,
  ): Promise<BegunUpload | { stored: UploadedFile }> {
    this.#require(context);
    if (this.#uploads.size >= MAX_UPLOADS) {
      throw new EnsembleError(
        `cannot upload ${request.name}: ${MAX_UPLOADS} uploads to ${this.#server.id} go on already`,
        { code: "LIMIT_REACHED" },
      );
    }
    const begun = await this.#store.begin(request);
    if (!(begun instanceof PartialFile)) {
      return { stored: await this.#attempt(request, context, () => Promise.resolve(begun)) };
    }
    const session = sessionOf(context.envelope);
    const upload = ++this.#last;
    this.#uploads.set(upload, { file: begun, session });
    if (session?.ended) await this.#end(upload);
    return { upload, have: begun.have };
  }

  async write(
    { upload, offset, part }: Parameters<UploadHandlers["writeUpload"]>[0],
    context: HandlerContext,
  ): Promise<number> {
    this.#require(context);
    return await this.#find(upload, context).append(part, offset);
  }

  async commit({ upload }: { upload: number }, context: HandlerContext): Promise<UploadedFile> {
    const file = this.#find(upload, context);
    return await this.#attempt(file.request, context, async () => {
      const stored = await this.#store.commit(file);
      this.#uploads.delete(upload);
      return stored;
    });
  }

  #require(context: HandlerContext): void {
    this.#permissions.require(context, { permission: "filesystem", what: "upload" });
  }

  #attempt(
    { kind, name, size, hash }: UploadRequest,
    context: HandlerContext,
    work: () => Promise<UploadedFile>,
  ): Promise<UploadedFile> {
    const details = { kind, name, size, sha256: hash.toHex() };
    return this.#permissions.attempt(context, {
      permission: "filesystem",
      what: "upload",
      details,
      work,
    });
  }

  #find(number: number, { envelope }: HandlerContext): PartialFile {
    const upload = this.#uploads.get(number);
    if (upload && upload.session === sessionOf(envelope)) return upload.file;
    throw new EnsembleError(`${this.#server.id} has no upload ${number} of this connection`);
  }

  async #endAll(which: (upload: Upload) => boolean): Promise<void> {
    const ending = [...this.#uploads].filter(([, upload]) => which(upload));
    await Promise.all(ending.map(([number]) => this.#end(number)));
  }

  async #end(number: number): Promise<void> {
    const upload = this.#uploads.get(number);
    this.#uploads.delete(number);
    await upload?.file.close();
  }
}

/** The handlers of uploads, for the actor `supervisor` of a server. */
export function uploadHandlers(
  server: ActorServer,
  { store, permissions }: {
    readonly store: UploadStore;
    readonly permissions: HostPermissions;
  },
): HandlersOf<UploadHandlers> {
  const uploads = new Uploads(server, { store, permissions });
  return {
    beginUpload: (request, context) => uploads.begin(request, context),
    writeUpload: (request, context) => uploads.write(request, context),
    commitUpload: (request, context) => uploads.commit(request, context),

    restoreUpload({ kind, name }, context) {
      return permissions.attempt(context, {
        permission: "filesystem",
        what: "restore-upload",
        details: { kind, name },
        work: () => store.restore({ kind, name }),
      });
    },

    listUploads(_request, context) {
      permissions.require(context, { permission: "filesystem", what: "list-uploads" });
      return store.list();
    },
  };
}
