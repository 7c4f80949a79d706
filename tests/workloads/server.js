// SPDX-License-Identifier: BSD-2-Clause
/*
 * server.js - a small Node.js server: node server.js leaky|healthy.
 *
 * leaky    registers a listener for each request and forgets to remove it; the listener's closure
 *          holds the request's buffer, so all of them stay.
 * healthy  removes the listener when the request is done.
 *
 * Prints "port N" when it serves.
 */
'use strict';

const http = require('http');
const { EventEmitter } = require('events');

const BUFFER_BYTES = 24 * 1024;
const leaky = process.argv[2] === 'leaky';
const bus = new EventEmitter();

bus.setMaxListeners(0);

function handle(request, response) {
	const page = Buffer.alloc(BUFFER_BYTES, request.url);
	const words = Array.from({ length: 200 }, (_, i) => `${request.url}/${i}`);
	const onReload = () => page.length + words.length;

	bus.on('reload', onReload);
	response.end(String(onReload()));
	if (!leaky)
		bus.off('reload', onReload);
}

const server = http.createServer(handle);

server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
