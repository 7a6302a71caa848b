"""Socket filters: a program that lets those packets pass of which some fields are as wanted."""

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26
LOAD = {4: 0x20, 2: 0x28, 1: 0x30}  # by the size of the field
AND, JUMP_IF_EQUAL, RETURN = 0x54, 0x15, 0x06
ALL = 0x40000


def program(fields):
    """Classic BPF. fields: (offset, size, value) or (offset, size, value, mask), all must match."""
    code = []
    for offset, size, value, *mask in fields:
        code.append((LOAD[size], 0, 0, offset))
        if mask:
            code.append((AND, 0, 0, mask[0]))
        code.append((JUMP_IF_EQUAL, 0, None, value))
    code += [(RETURN, 0, 0, ALL), (RETURN, 0, 0, 0)]
    refuse = len(code) - 1
    return b"".join(struct.pack("HBBI", operation, if_true,
                                refuse - number - 1 if if_false is None else if_false, value)
                    for number, (operation, if_true, if_false, value) in enumerate(code))


def attach(sock, fields):
    """From now on, only packets that match come to the socket."""
    code = program(fields)
    buffer = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HL", len(code) // 8, ctypes.addressof(buffer)))
