// SPDX-License-Identifier: BSD-2-Clause
// server.js - an HTTP server to be recorded: `node server.js PORT healthy|leak`.
// The leaking one registers a listener on every request and never takes it off again.
'use strict';
const http = require('http');
const { EventEmitter } = require('events');

const bus = new EventEmitter();
const leak = process.argv[3] === 'leak';
const sessions = new Map(); // bounded: a healthy server has state too
bus.setMaxListeners(0);

http.createServer((req, res) => {
	const rows = Array.from({ length: 200 }, (_, i) => ({ id: i, text: 'row ' + i }));
	const body = JSON.stringify(rows);

	sessions.set(Math.floor(Math.random() * 500), body);
	if (leak)
		bus.on('tick', () => rows.length);
	res.end(body);
}).listen(Number(process.argv[2]), '127.0.0.1');
