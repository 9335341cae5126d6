/**
 * `@peculiar/x509`, after what it is built on wants to be loaded first. Import it from here.
 *
 * @module
 */
import "reflect-metadata";

export * from "@peculiar/x509";
