"""scripts/bench profile: what it reads from perf and callgrind, and its preloaded counter."""
import os
import subprocess
import sys

from bench import counts, sampling

SCRIPT = """kiwi-server  4015/4015  
	ffffffff8201f175 tcp_rcv_established ([kernel.kallsyms])
	ffffffff81e2eb30 __x64_sys_sendto ([kernel.kallsyms])
	          10aba4 __send (/usr/lib/x86_64-linux-gnu/libc.so.6)

caf.multiplexer  4015/4055  
	ffffffff81b94ccc iowrite16 ([kernel.kallsyms])
	ffffffff81b94ccd __x64_sys_fdatasync ([kernel.kallsyms])

kiwi-server  4016/4016  
	          2bc551 kiwi::resp::Router::State::try_place (/build/actors/kiwi-server)
	c657a0faf5db39f2 [unknown] ([unknown])

kiwi-server  4016/4016  
	          2bc552 std::_Hashtable<int, kiwi::raft::Peer>::find (/build/actors/kiwi-server)

kiwi-server  4016/4016  
	          2bc553 _int_malloc (/usr/lib/x86_64-linux-gnu/libc.so.6)
"""


def test_samples_are_counted_by_process_and_by_what_the_code_belongs_to():
    found = sampling.parse(SCRIPT)
    assert found[4015].groups == {"kernel: network": 1, "kernel: files": 1}
    assert found[4015].threads == {"kiwi-server": 1, "caf.multiplexer": 1}
    assert found[4016].groups == {"kiwi: resp": 1, "kiwi: raft": 1, "malloc and free": 1}
    assert found[4016].functions["_int_malloc", "/usr/lib/x86_64-linux-gnu/libc.so.6"] == 1


def test_a_write_to_an_eventfd_is_no_write_to_a_file():
    def kernel(*symbols):
        return sampling.group([(symbol, "[kernel.kallsyms]") for symbol in symbols])

    assert kernel("_raw_spin_unlock", "eventfd_write", "vfs_write", "__x64_sys_write") == \
        "kernel: waking threads"
    assert kernel("ext4_da_write_end", "vfs_write", "__x64_sys_pwrite64") == "kernel: files"
    assert kernel("clear_page", "asm_exc_page_fault") == "kernel: page faults"


def test_counters_that_a_machine_does_not_have_are_left_out():
    text = "96,,raw_syscalls:sys_enter,1929840,100.00,,\n<not supported>,,instructions:u,0,100.00,,\n"
    assert counts.parse_stat(text) == {"raw_syscalls:sys_enter": 96}


def test_callgrinds_report_is_read_with_its_total():
    text = """308,085 (100.0%)  PROGRAM TOTALS
 28,113 ( 9.12%)  ./elf/dl-lookup.c:do_lookup_x [/usr/lib/ld-linux-x86-64.so.2]
    310 ( 0.10%)  ???:caf::scheduled_actor::resume(caf::execution_unit*) [/usr/lib/libcaf_core.so]
"""
    assert counts.parse_callgrind(text) == (308085, [
        (28113, "do_lookup_x"), (310, "caf::scheduled_actor::resume(caf::execution_unit*)")])


def test_the_preloaded_library_counts_allocations_and_copies(tmp_path):
    preload = counts.Preload(str(tmp_path))
    program = "import os; x = [bytearray(1 << 20) for _ in range(50)]; print(os.getpid(), flush=True); input()"
    try:
        child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
    finally:
        preload.started()
    assert "KIWI_COUNTS" not in os.environ and "alloc_count" not in os.environ.get("LD_PRELOAD", "")
    pid = int(child.stdout.readline())
    found = preload.read(pid)
    child.communicate("\n")
    assert found["allocations"] >= 50 and found["allocated bytes"] >= 50 << 20
    assert found["libc copies"] > 0 and found["frees"] > 0
