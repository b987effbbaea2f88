// Reads the document named on the command line with AsyncAPI's own parser; fails on anything it calls an error.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], "utf8"));
const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 0);
for (const error of errors) console.error(`${error.path.join("/")}: ${error.message}`);
if (errors.length || !document) process.exit(1);
console.log(`${document.channels().all().length} channels, ${document.allMessages().all().length} messages`);
