// Memory for objects of one size that come and go all the time, and an allocator over it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include <legion/base/assert.hpp>
#include <legion/base/free_stack.hpp>

namespace legion {

/// Blocks of `block_bytes`, recycled.
///
/// Thread: any.
/// Ownership: the pool lives until its owner let go of it (Owner) and every block has come back, whatever comes last;
/// so what lies in a block may outlive the owner, and find the pool there up to its end.
/// Bounds: keeps at most `kept_max` unused blocks; the number in use is the caller's.
template <std::size_t block_bytes>
class BlockPool {
 public:
  static constexpr std::size_t block_size = block_bytes;
  struct Release {
    void operator()(BlockPool* pool) const { pool->close(); }
  };
  using Owner = std::unique_ptr<BlockPool, Release>;

  explicit BlockPool(std::uint32_t kept_max) : kept_(kept_max) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  void* take() {
    void* block = nullptr;
    if (kept_.try_pop(block)) return block;
    block = ::operator new(block_bytes);
    holders_.fetch_add(1, std::memory_order_relaxed);
    return block;
  }

  void give_back(void* block) {
    if (!kept_.try_push(std::move(block))) free_block(block);
  }

 protected:
  virtual ~BlockPool() = default;

 private:
  void close() {
    const auto kept = kept_.close();
    for (std::uint32_t i = 0; i < kept.count; ++i) free_block(kept.values[i]);
    let_go();
  }
  void free_block(void* block) {
    ::operator delete(block);
    let_go();
  }
  void let_go() {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  FreeStack<void*> kept_;
  // The owner and every block there is, kept ones too: recycling changes nothing here.
  std::atomic<std::size_t> holders_{1};
};

/// For std::allocate_shared: one object and its control block in one block of `Pool`, which has to be large enough.
///
/// Holds no reference of its own, which would be counted up and down several times for each object: the blocks in use
/// keep the pool.
template <class T, class Pool>
class PoolAllocator {
 public:
  using value_type = T;

  explicit PoolAllocator(Pool& pool) : pool_(&pool) {}
  template <class Other>
  PoolAllocator(const PoolAllocator<Other, Pool>& other) : pool_(other.pool_) {}

  T* allocate(std::size_t count) {
    static_assert(sizeof(T) <= Pool::block_size && alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    LEGION_ASSERT(count == 1);
    return static_cast<T*>(pool_->take());
  }
  void deallocate(T* object, std::size_t) { pool_->give_back(object); }

  template <class Other>
  friend bool operator==(const PoolAllocator& a, const PoolAllocator<Other, Pool>& b) {
    return a.pool_ == b.pool_;
  }

 private:
  template <class, class>
  friend class PoolAllocator;
  Pool* pool_;
};

}  // namespace legion
