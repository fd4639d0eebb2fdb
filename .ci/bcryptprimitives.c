/* What Rust's standard library asks for random bytes, which Wine 8 lacks: the same from the function before it. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID to, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T size) {
    return SystemFunction036(to, (ULONG)size);
}
