// Reads WebVTT files with the W3C's parser: for each, one JSON line of its errors and its cues in milliseconds.
// `node w3c_webvtt.js FOLDER FILE…`; the folder holds the package webvtt-parser.
const fs = require("fs");
const path = require("path");
const found = path.join(process.argv[2], "node_modules", "webvtt-parser");
const { WebVTTParser } = require(found);
const entities = require(path.join(found, "html-entities.json"));
const text = (node) => (node.type === "text" ? node.value : node.children.map(text).join(""));
for (const name of process.argv.slice(3)) {
  const read = new WebVTTParser(entities).parse(fs.readFileSync(name, "utf8"), "captions");
  const cues = read.cues.map((cue) => [Math.round(cue.startTime * 1000), Math.round(cue.endTime * 1000), text(cue.tree)]);
  console.log(JSON.stringify({ errors: read.errors, cues }));
}
