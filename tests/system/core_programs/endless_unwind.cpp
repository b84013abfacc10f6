// Its unwind information holds an expression that jumps back to its own start for ever.
int *nothing;

__attribute__((noinline)) int trap(void)
{
    // DW_CFA_def_cfa_expression, 3 bytes: DW_OP_skip -3.
    asm volatile(".cfi_escape 0x0f, 0x03, 0x2f, 0xfd, 0xff");
    return *nothing;
}

int main(void) { return trap() + 1; }
