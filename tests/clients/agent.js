// What every Node agent shares: the loop over commands and the form in which bytes travel; see agent.py for the manner.
'use strict';

const readline = require('node:readline');

// How long an agent waits for what was asked, in milliseconds.
const PATIENCE = 30_000;

const decode = (text) => (text === null ? null : Buffer.from(text, 'base64'));
const encode = (bytes) => bytes?.toString('base64') ?? null;

// Runs commands until standard input ends. A command that fails answers its error, and the agent lives on.
async function serve(commands) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      answer = (await commands[command.do](command)) ?? {};
    } catch (error) {
      console.error(error);
      answer = { error: String(error) };
    }
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

module.exports = { PATIENCE, decode, encode, serve };
