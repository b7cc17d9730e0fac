<?php
// The audio stream of the PHP application: a WebSocket server on the port behind PORT that says back what it hears.
// PHP has none of its own, and this needs nothing else; for more than an example take a library such as Ratchet.

declare(strict_types=1);

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, 1.3
const LONGEST = 1 << 20;

$port = (int) (getenv('PORT') ?: 5000) + 1;
$server = stream_socket_server("tcp://127.0.0.1:$port", $code, $error);
if ($server === false) {
    fwrite(STDERR, "cannot listen on port $port: $error\n");
    exit(1);
}
echo "listening on ws://127.0.0.1:$port\n";

$clients = [];
while (true) {
    $ready = [$server, ...array_column($clients, 'socket')];
    $none = null;
    if (@stream_select($ready, $none, $none, null) === false) {
        break;
    }
    foreach ($ready as $socket) {
        if ($socket === $server) {
            $new = stream_socket_accept($server, 0);
            if ($new !== false) {
                stream_set_blocking($new, false);
                $clients[(int) $new] = ['socket' => $new, 'open' => false, 'read' => '', 'frames' => 0];
            }
            continue;
        }
        $client = &$clients[(int) $socket];
        $bytes = fread($socket, 65536);
        $goes_on = $bytes !== false && ($bytes !== '' || !feof($socket));
        $client['read'] .= (string) $bytes;
        if (!$goes_on || strlen($client['read']) > LONGEST || !read_on($client)) {
            if ($client['open']) {
                echo "stream over after {$client['frames']} frames\n";
            }
            fclose($socket);
            unset($clients[(int) $socket]);
        }
        unset($client);
    }
}

/** Takes what has come; whether the connection goes on. */
function read_on(array &$client): bool
{
    if (!$client['open']) {
        $end = strpos($client['read'], "\r\n\r\n");
        if ($end === false) {
            return true;
        }
        if (!preg_match('/^Sec-WebSocket-Key: *([^\r ]+)/mi', $client['read'], $key)) {
            say($client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            return false;
        }
        $client['read'] = substr($client['read'], $end + 4);
        $client['open'] = true;
        $accept = base64_encode(sha1($key[1] . GUID, true));
        say($client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
    }
    while (($frame = next_frame($client['read'])) !== null) {
        [$opcode, $payload] = $frame;
        if ($opcode === 0x8) {
            say($client, frame(0x8, substr($payload, 0, 2)));
            return false;
        }
        if ($opcode === 0x9) {
            say($client, frame(0xA, $payload));
        }
        if ($opcode === 0x2) {
            // Binary frames are 16-bit samples; what is said goes back as text.
            $client['frames']++;
            $data = ['audioDataType' => 'raw', 'sampleRate' => 8000, 'audioData' => base64_encode($payload)];
            say($client, frame(0x1, json_encode(['type' => 'streamAudio', 'data' => $data])));
        }
    }
    return true;
}

/** The first whole frame, unmasked, taken off what was read; null where there is none yet. */
function next_frame(string &$read): ?array
{
    if (strlen($read) < 6) {
        return null;
    }
    $length = ord($read[1]) & 0x7f;
    $at = 2;
    if ($length === 126) {
        $length = unpack('n', $read, 2)[1];
        $at = 4;
    } elseif ($length === 127) {
        if (strlen($read) < 14) {
            return null;
        }
        $length = unpack('J', $read, 2)[1];
        $at = 10;
    }
    if (strlen($read) < $at + 4 + $length) {
        return null;
    }
    $mask = substr($read, $at, 4);
    $payload = substr($read, $at + 4, $length) ^ str_pad('', $length, $mask);
    $opcode = ord($read[0]) & 0x0f;
    $read = substr($read, $at + 4 + $length);
    return [$opcode, $payload];
}

function frame(int $opcode, string $payload): string
{
    $length = strlen($payload);
    $head = chr(0x80 | $opcode);
    return $head . ($length < 126 ? chr($length) : ($length < 65536 ? chr(126) . pack('n', $length) : chr(127) . pack('J', $length))) . $payload;
}

function say(array $client, string $bytes): void
{
    stream_set_blocking($client['socket'], true);
    fwrite($client['socket'], $bytes);
    stream_set_blocking($client['socket'], false);
}
