/**
 * DER, the bytes of certificates and revocation lists, read strictly.
 *
 * @see ITU-T X.690
 * @module
 */
import { AsnConvert, AsnSerializer } from "npm:@peculiar/asn1-schema@^2.11.1";
import { InvalidInputError } from "../errors.ts";

/**
 * Reads a value of a type that ASN.1 describes. It must be in DER's one form: the same certificate must not
 * have two.
 *
 * @throws {InvalidInputError} when the bytes are anything else.
 */
export function parseDer<Value>(bytes: Uint8Array, type: new () => Value): Value {
  let value: Value;
  let again: Uint8Array;
  try {
    value = AsnConvert.parse(bytes, type);
    again = new Uint8Array(AsnSerializer.serialize(value));
  } catch (error) {
    throw new InvalidInputError(`malformed DER: ${(error as Error).message}`, { cause: error });
  }
  if (again.length !== bytes.length || again.some((byte, index) => byte !== bytes[index])) {
    throw new InvalidInputError("malformed DER: it is not in its shortest form");
  }
  return value;
}

/**
 * Converts a serial number to text as openssl writes it: capital hexadecimal digits, two for a byte.
 *
 * @param content the bytes of an ASN.1 integer.
 * @throws {InvalidInputError} when it is not a positive integer of at most 20 bytes (RFC 5280, 4.1.2.2).
 */
export function formatSerial(content: ArrayBuffer): string {
  const bytes = new Uint8Array(content);
  const digits = bytes[0] === 0 && bytes.length > 1 ? bytes.subarray(1) : bytes;
  if (bytes.length === 0 || bytes[0]! >= 0x80 || digits.length > 20) {
    throw new InvalidInputError("the serial number is not a positive number of at most 20 bytes");
  }
  return digits.toHex().toUpperCase();
}
