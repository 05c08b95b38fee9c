/* Process entry and the clone stubs: the only places where the machine's registers are named. */
#include "syscalls.h"

#if defined(__x86_64__)
__asm__(".global _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call shim_start\n"
        "    ud2\n"
        ".global clone_onto_stack\n"
        "clone_onto_stack:\n"
        "    mov $435, %eax\n"
        "    jmp 2f\n"
        ".global clone_by_flags\n"
        "clone_by_flags:\n"
        "    mov $56, %eax\n"
        "2:  mov %rdx, %r8\n"
        "    mov %rcx, %r9\n"
        "    syscall\n"
        "    test %rax, %rax\n"
        "    jz 1f\n"
        "    ret\n"
        "1:  xor %ebp, %ebp\n"
        "    mov %r9, %rdi\n"
        "    call *%r8\n"
        "    ud2\n");
#elif defined(__aarch64__)
__asm__(".global _start\n"
        "_start:\n"
        "    mov x29, xzr\n"
        "    mov x30, xzr\n"
        "    mov x0, sp\n"
        "    bl shim_start\n"
        "    brk #0\n"
        ".global clone_onto_stack\n"
        "clone_onto_stack:\n"
        "    mov x8, #435\n"
        "    b 2f\n"
        ".global clone_by_flags\n"
        "clone_by_flags:\n"
        "    mov x8, #220\n"
        "2:  svc #0\n"
        "    cbz x0, 1f\n"
        "    ret\n"
        "1:  mov x29, xzr\n"
        "    mov x30, xzr\n"
        "    mov x0, x3\n"
        "    blr x2\n"
        "    brk #0\n");
#endif

_Static_assert(__NR_clone3 == 435, "clone_onto_stack names clone3 by number");
#if defined(__x86_64__)
_Static_assert(__NR_clone == 56, "clone_by_flags names clone by number");
#else
_Static_assert(__NR_clone == 220, "clone_by_flags names clone by number");
#endif

int shim_main(int argc, char **argv);
int init_main(int argc, char **argv, char **environment);
_Noreturn void shim_start(long *stack);

_Noreturn void shim_start(long *stack) {
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    bool init = argc > 0 && strcmp(argv[0], "tsdocker-init") == 0;
    leave(init ? init_main(argc, argv, argv + argc + 1) : shim_main(argc, argv));
}
